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
  const item = button.closest("li");
  move(item, button.dataset.move);
  // At either end one of its two buttons is gone.
  const left = [button, ...item.querySelectorAll("[data-move]")];
  left.find((one) => getComputedStyle(one).visibility === "visible")?.focus();
});
