// The frame around every page: the search key, the menu on small screens, the theme, buttons that copy.

function typing(element) {
  return element.closest("input, textarea, select, [contenteditable], dialog[open]") !== null;
}

function startSearchKey() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    event.preventDefault();
    document.getElementById("search")?.select();
    document.getElementById("search")?.focus();
  });
}

function startMenu() {
  const button = document.querySelector("[data-sidebar]");
  const sidebar = document.getElementById("sidebar");
  if (!button || !sidebar) return;
  const set = (open) => {
    sidebar.classList.toggle("is-open", open);
    button.setAttribute("aria-expanded", String(open));
    if (open) sidebar.querySelector("nav a")?.focus();
  };
  button.addEventListener("click", () => set(!sidebar.classList.contains("is-open")));
  document.addEventListener("click", (event) => {
    if (!sidebar.contains(event.target) && !button.contains(event.target)) set(false);
  });
  sidebar.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    set(false);
    button.focus();
  });
}

function startTheme() {
  const root = document.documentElement;
  const forms = () => document.querySelectorAll("form[data-theme-form]");
  const mark = () => {
    for (const button of [...forms()].flatMap((form) => [...form.querySelectorAll("[name=theme]")])) {
      button.setAttribute("aria-pressed", String(button.value === root.dataset.theme));
    }
  };
  mark();
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-theme-form]")) return;
    event.preventDefault();
    const body = new FormData(event.target, event.submitter);
    root.dataset.theme = event.submitter.value;
    mark();
    event.submitter.classList.remove("is-pending");
    setTimeout(() => (event.submitter.disabled = false));
    fetch(event.target.action, { method: "POST", body, redirect: "manual" });
  });
}

function startCopy() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("is-copied");
    setTimeout(() => button.classList.remove("is-copied"), 1500);
  });
}

// A filter form sends itself when a choice changes; text waits for Enter or for the search field's own "x".
function startFilters() {
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form && event.target.matches("select, input[type=checkbox], input[type=date]")) form.requestSubmit();
  });
}

function startDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) document.getElementById(opener.dataset.dialog)?.showModal();
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  });
}

export function startShell() {
  startSearchKey();
  startMenu();
  startTheme();
  startCopy();
  startFilters();
  startDialogs();
}
