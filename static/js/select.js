// Choosing rows of the list: boxes, shift-click for a range, x or space on the row that has the focus, Escape for none.
// What is chosen are rows on this page, or all that the filters leave; it survives the table being drawn anew.

const chosen = new Set(); // the machines' keys
let all = false; // also those on other pages
let matching = ""; // the filters that `all` is about
let anchor = ""; // where a range begins

const table = () => document.getElementById("machines");
const boxes = () => [...document.querySelectorAll("[data-pick]")];
const plural = (count) => `${count.toLocaleString("en")} virtual machine${count === 1 ? "" : "s"}`;

function show() {
  const shown = boxes();
  for (const box of shown) box.checked = all || chosen.has(box.value);
  const every = shown.length > 0 && shown.every((box) => box.checked);
  const head = document.querySelector("[data-pick-page]");
  if (head) {
    head.checked = every;
    head.indeterminate = !every && shown.some((box) => box.checked);
  }
  showBar(every);
}

function showBar(every) {
  const bar = document.getElementById("picked");
  const total = Number(table()?.dataset.total ?? 0);
  const count = all ? total : chosen.size;
  bar.hidden = count === 0;
  bar.querySelector("#picked-count").textContent = `${plural(count)} chosen`;
  bar.querySelector("#picked-all").disabled = !all;
  const more = bar.querySelector("[data-pick-all]");
  more.hidden = all || !every || total <= chosen.size;
  more.textContent = `Choose all ${total.toLocaleString("en")} that match`;
  for (const form of bar.querySelectorAll("form[data-confirm]")) {
    form.dataset.confirmTitle = `${form.dataset.confirmButton}: ${plural(count)}?`;
  }
}

// After the table or a row was drawn anew: rows that are not shown any more are no longer chosen.
function catchUp() {
  const now = table()?.dataset.matching ?? "";
  if (now !== matching) all = false;
  matching = now;
  const shown = new Set(boxes().map((box) => box.value));
  for (const key of chosen) if (!shown.has(key)) chosen.delete(key);
  show();
}

function set(box, on) {
  if (all) for (const other of boxes()) chosen.add(other.value);
  all = false;
  if (on) chosen.add(box.value);
  else chosen.delete(box.value);
}

// From the last one that was chosen to this one.
function setRange(box, on) {
  const shown = boxes();
  const [from, to] = [shown.findIndex((other) => other.value === anchor), shown.indexOf(box)];
  const [first, last] = from < 0 ? [to, to] : [Math.min(from, to), Math.max(from, to)];
  for (const other of shown.slice(first, last + 1)) set(other, on);
}

function pick(box, on, { range }) {
  if (range) setRange(box, on);
  else set(box, on);
  anchor = box.value;
  show();
}

function clear() {
  all = false;
  chosen.clear();
  show();
}

function onClick(event) {
  const box = event.target.closest("[data-pick], [data-pick-page], [data-pick-all], [data-pick-none]");
  if (!box) return;
  if (box.matches("[data-pick]")) return pick(box, box.checked, { range: event.shiftKey });
  if (box.matches("[data-pick-none]")) return clear();
  if (box.matches("[data-pick-all]")) all = true;
  else for (const other of boxes()) set(other, box.checked);
  show();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && !document.querySelector("dialog[open], .dropdown-menu.show")) return clear();
  const row = document.activeElement?.closest("#machines tbody tr");
  const box = row?.querySelector("[data-pick]");
  if (!box) return;
  const onLink = document.activeElement.matches("a.row-link");
  if (event.key.toLowerCase() !== "x" && !(event.key === " " && onLink)) return;
  event.preventDefault();
  pick(box, !box.checked, { range: event.shiftKey });
}

document.addEventListener("click", onClick);
document.addEventListener("keydown", onKey);
document.addEventListener("htmx:afterSettle", catchUp);
document.addEventListener("live-replaced", catchUp);
addEventListener("pageshow", catchUp); // a browser that comes "back" has boxes ticked that we know nothing of
