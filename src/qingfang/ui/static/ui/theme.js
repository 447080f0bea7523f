// Before the first paint: dark or light as the person chose, else as the system says.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let chosen = null;
    try { chosen = localStorage.getItem("qingfang-theme"); } catch { /* storage is switched off */ }
    document.documentElement.dataset.bsTheme = chosen || (dark.matches ? "dark" : "light");
  };
  apply();
  dark.addEventListener("change", apply);
  window.qingfangTheme = (theme) => {
    try { localStorage.setItem("qingfang-theme", theme); } catch { /* lasts for this page only */ }
    document.documentElement.dataset.bsTheme = theme;
  };
})();
