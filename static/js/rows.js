// Tables whose rows lead somewhere: j and k, or the arrow keys, move from row to row; Enter follows the link.

const links = () => [...document.querySelectorAll("table[data-rows] tbody a.row-link")];

function step(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return 0;
  if (event.key === "j" || event.key === "ArrowDown") return 1;
  return event.key === "k" || event.key === "ArrowUp" ? -1 : 0;
}

function isBusy(target) {
  return target.closest("input:not([data-pick]), textarea, select, dialog, [contenteditable], .dropdown-menu.show") !== null;
}

function move(event) {
  const by = step(event);
  const fromSearch = event.key === "ArrowDown" && event.target.matches("#filters input[type=search]");
  if (!by || (isBusy(event.target) && !fromSearch)) return;
  const all = links();
  if (!all.length) return;
  const here = all.findIndex((link) => link.closest("tr").contains(document.activeElement));
  const next = here < 0 ? (by > 0 ? 0 : all.length - 1) : here + by;
  if (next < 0 || next >= all.length) return;
  event.preventDefault();
  all[next].focus();
  all[next].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", move);
