// Lists whose entries move up and down by buttons. A form sends them in the order in which they stand.

function move(item, direction) {
  const other = direction === "up" ? item.previousElementSibling : item.nextElementSibling;
  if (!other) return;
  if (direction === "up") other.before(item);
  else other.after(item);
  item.closest("form").dataset.changed = "";
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-order] [data-move]");
  if (!button) return;
  move(button.closest("li"), button.dataset.move);
  button.focus();
});
