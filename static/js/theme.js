// Runs before the first paint, so that a dark page never flashes white. Bootstrap knows "light" and "dark" only:
// "auto" is turned into one of them here, and again when the system changes its mind.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  function apply() {
    const chosen = root.dataset.theme;
    const dark = chosen === "dark" || (chosen === "auto" && system.matches);
    root.setAttribute("data-bs-theme", dark ? "dark" : "light");
  }

  apply();
  system.addEventListener("change", apply);
  new MutationObserver(apply).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
})();
