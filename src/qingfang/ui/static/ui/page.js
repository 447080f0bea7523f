// What every page does in the browser. Everything works without this file, by reloading.

document.getElementById("theme")?.addEventListener("click", () => {
  window.qingfangTheme(document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark");
});

// A button that asks before it submits: <button data-confirm="…">.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-confirm]");
  if (button && !window.confirm(button.dataset.confirm)) event.preventDefault();
});

// Close the table's tools when one clicks elsewhere or presses Escape.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.table-tools[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.table-tools[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

// The session ended while a page was open: HTMX is told where to go by the server.
document.addEventListener("htmx:sendError", () => announce(document.body.dataset.offline));
document.addEventListener("htmx:responseError", () => announce(document.body.dataset.failed));

function announce(text) {
  const place = document.getElementById("announce");
  if (place && text) place.textContent = text;
}

// What a person has opened stays open when its table is fetched again: <details id="…" data-keep>,
// and the check box that unfolds the filters on a phone.
let opened = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  const open = "details[data-keep][open], input[data-keep]:checked";
  opened = [...event.target.querySelectorAll(open)].map((one) => one.id);
});
document.addEventListener("htmx:afterSettle", () => {
  for (const id of opened) {
    const one = document.getElementById(id);
    if (one?.matches("input")) one.checked = true;
    else one?.setAttribute("open", "");
  }
  opened = [];
});

// What was opened before HTMX had taken notice of it is fetched now. Each is fetched once.
document.addEventListener("htmx:afterProcessNode", (event) => {
  if (event.target.matches("details[open][hx-get]")) window.htmx.trigger(event.target, "toggle");
});

// On a narrow screen the tab one stands on may lie outside the row of tabs.
const tab = document.querySelector(".nav-tabs .nav-link.active");
if (tab) {
  const row = tab.closest(".nav-tabs");
  row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
}

// A long list to choose from gets a box that keeps what fits: <select multiple>, and any of more
// than thirty choices.
for (const list of document.querySelectorAll("main form:not(.filters) select.form-select")) {
  if (!list.id || list.options.length <= 30) continue;
  const box = document.createElement("input");
  box.type = "search";
  box.className = "form-control mb-1";
  box.placeholder = document.body.dataset.narrow;
  box.setAttribute("aria-label", `${list.labels[0]?.textContent.trim() ?? ""} ${box.placeholder}`);
  list.before(box);
  box.addEventListener("input", () => {
    const wanted = box.value.trim().toLowerCase();
    for (const option of list.options) {
      option.hidden = Boolean(wanted) && !option.selected && !option.text.toLowerCase().includes(wanted);
    }
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
}

// In a list one goes from row to row with j and k, and opens with Enter.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !["j", "k"].includes(event.key)) return;
  if (event.target.closest("input, select, textarea, [contenteditable]")) return;
  const links = [...document.querySelectorAll(".table-card tr[data-row] > td:first-child > a")];
  if (!links.length) return;
  const row = document.activeElement?.closest("tr[data-row]");
  const at = links.findIndex((link) => link.closest("tr") === row);
  const next = event.key === "j" ? Math.min(at + 1, links.length - 1) : Math.max(at - 1, 0);
  links[next].focus();
});

// A live table: <div data-live="/alerts/stream" data-live-table="alerts" …>.
// The stream says only «something new»; what is new is fetched as the page itself is, through the
// same gate. While a person is reading further down or has the focus inside the table, nothing
// moves under their hands: a button offers to show what is new.
const live = document.querySelector("[data-live]");
if (live) {
  const GAP_MS = 300; // the first change is shown at once, a burst of them not one by one
  const state = live.querySelector("[data-live-state]");
  const button = live.querySelector("[data-live-show]");
  let waiting = 0;
  let timer = null;
  let shown = -Infinity; // when the table was last fetched by itself
  let unasked = null; // how many changes are being fetched that nobody asked to see
  const table = () => document.getElementById(live.dataset.liveTable);
  const busy = () => {
    const here = table();
    const reading = window.scrollY > 200 || (here && here.contains(document.activeElement));
    return reading || new URLSearchParams(location.search).has("at");
  };
  const newest = () => {
    const query = new URLSearchParams(location.search);
    query.delete("at");
    return `${location.pathname}?${query}`;
  };
  const show = () => {
    waiting = 0;
    button.hidden = true;
    const headers = { "X-Live-From": location.search };
    const target = `#${live.dataset.liveTable}`;
    window.htmx.ajax("GET", newest(), { target, swap: "outerHTML", headers });
  };
  // Whoever went to another page of the list meanwhile stays there; and what a person has asked for
  // and waits for finds the table it was asked from.
  const theirs = (event) => {
    const headers = event.detail.requestConfig?.headers ?? {};
    return event.detail.target?.id === live.dataset.liveTable && !("X-Live-From" in headers);
  };
  let asked = 0;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (theirs(event)) asked += 1;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (theirs(event)) asked = Math.max(0, asked - 1);
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const from = event.detail.requestConfig?.headers["X-Live-From"];
    if (from === undefined) return;
    if (asked || from !== location.search) event.detail.shouldSwap = false;
    // The person may have turned to the table while what is new was being fetched.
    if (unasked !== null && busy()) {
      event.detail.shouldSwap = false;
      waiting += unasked;
      if (waiting) offer();
    }
    unasked = null;
  });
  // While nothing may move, what a row's group comes to is still told, in its place.
  const retell = async () => {
    const headers = { "HX-Request": "true", "HX-Target": live.dataset.liveTable };
    const answer = await fetch(newest(), { headers });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const row of table().querySelectorAll("tr[data-key]")) {
      const other = fresh.querySelector(`tr[data-key="${CSS.escape(row.dataset.key)}"] [data-live-text]`);
      const here = row.querySelector("[data-live-text]");
      if (here && other) here.textContent = other.textContent;
    }
  };
  const offer = () => {
    button.hidden = false;
    button.querySelector("[data-live-count]").textContent = String(waiting);
  };
  button.addEventListener("click", () => {
    window.scrollTo({ top: 0 });
    unasked = null;
    show();
  });
  const source = new EventSource(live.dataset.live);
  source.addEventListener("open", () => {
    state.textContent = state.dataset.on;
    state.classList.add("is-live");
  });
  source.addEventListener("error", () => {
    state.textContent = state.dataset.off;
    state.classList.remove("is-live");
  });
  source.addEventListener("alert", (event) => {
    const start = event.data === "start";
    if (!start) {
      waiting += 1;
      announce(live.dataset.liveNew);
    }
    if (busy()) {
      if (start) return;
      offer();
      retell();
      return;
    }
    if (timer === null) {
      timer = setTimeout(() => {
        timer = null;
        if (busy()) {
          if (waiting) offer();
          return;
        }
        unasked = waiting;
        shown = performance.now();
        show();
      }, shown + GAP_MS - performance.now());
    }
  });
  window.addEventListener("pagehide", () => source.close());
}
