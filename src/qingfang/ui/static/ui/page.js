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
  const show = () => {
    waiting = 0;
    button.hidden = true;
    const query = new URLSearchParams(location.search);
    query.delete("at");
    const url = `${location.pathname}?${query}`;
    window.htmx.ajax("GET", url, { target: `#${live.dataset.liveTable}`, swap: "outerHTML" });
  };
  const offer = () => {
    button.hidden = false;
    button.querySelector("[data-live-count]").textContent = String(waiting);
  };
  // The person may have turned to the table while what is new was being fetched.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target !== table()) return;
    if (unasked !== null && busy()) {
      event.detail.shouldSwap = false;
      waiting += unasked;
      if (waiting) offer();
    }
    unasked = null;
  });
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
      if (!start) offer();
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
