// Roles of a table's columns by keyboard: j and k move, a letter chooses the role that has it,
// a digit the table's kind, u takes the row's change back, Enter confirms. Everything works
// without this file, by the lists and the button.

const form = document.querySelector("form.roles");
if (form) {
  const rows = [...form.querySelectorAll("[data-row]")];
  const kinds = form.querySelector("[data-kinds] select");
  let at = rows.findIndex((row) => row.classList.contains("roles-open"));
  go(at < 0 ? 0 : at, false);

  // Wide enough for both, the list of tables stands open.
  if (window.matchMedia("(min-width: 992px)").matches) {
    const tables = document.getElementById("tables");
    tables.open = true;
    tables.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  form.addEventListener("focusin", (event) => {
    const row = event.target.closest("[data-row]");
    if (row) go(rows.indexOf(row), false);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const inside = event.target;
    if (inside.matches("input, textarea") && inside.type !== "checkbox") return;
    if (event.key === "Enter") {
      // On a link or a button Enter is theirs.
      if (inside.closest("a, button, summary")) return;
      event.preventDefault();
      form.requestSubmit();
      return;
    }
    const key = event.key;
    if (key === "j") go(at + 1, true);
    else if (key === "k") go(at - 1, true);
    else if (key === "u") back();
    else if (!choose(kinds, key) && !choose(rows[at]?.querySelector("select"), key)) return;
    event.preventDefault();
  });

  function go(next, focus) {
    if (!rows.length) return;
    rows[at]?.classList.remove("roles-here");
    at = Math.min(Math.max(next, 0), rows.length - 1);
    rows[at].classList.add("roles-here");
    if (focus) {
      rows[at].querySelector("select").focus({ preventScroll: true });
      rows[at].scrollIntoView({ block: "nearest" });
    }
  }

  function choose(list, key) {
    const option = list && !list.disabled && list.querySelector(`option[data-key="${CSS.escape(key)}"]`);
    if (!option) return false;
    list.value = option.value;
    mark(list);
    return true;
  }

  function back() {
    const list = rows[at]?.querySelector("select");
    if (!list) return;
    const first = [...list.options].find((option) => option.defaultSelected) ?? list.options[0];
    list.value = first.value;
    mark(list);
  }

  function mark(list) {
    const row = list.closest(".roles-row");
    const first = [...list.options].find((option) => option.defaultSelected) ?? list.options[0];
    row.classList.toggle("roles-changed", list.value !== first.value);
  }
  form.addEventListener("change", (event) => event.target.matches("select") && mark(event.target));
}
