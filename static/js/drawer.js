// The drawer of a person's own operations: opens by itself when one begins, closes when all is done, and says in a few
// words how they stand. The list in it is pushed by the server (operations.live); here is only what its frame does.

const DISMISS_AFTER_MS = 6000;
const CLOSE_AFTER_MS = 10_000;

const drawer = document.getElementById("drawer");
// On a phone it would cover the page, and the pages of operations show the same: there it opens only by hand.
const opensItself = matchMedia("(min-width: 48rem)").matches && !location.pathname.startsWith("/operations/");
let closing;
let known; // the operations that were there at the last look; undefined until the first list has come

function look() {
  const rows = [...drawer.querySelectorAll("[data-operation]")];
  const active = rows.filter((row) => row.dataset.operationActive === "true");
  const fresh = active.filter((row) => known && !known.has(row.dataset.operation));
  if (drawer.querySelector(".drawer-list")) known = new Set(rows.map((row) => row.dataset.operation));
  drawer.hidden = rows.length === 0;
  sayHow(rows.length, active.length);
  if (fresh.length && opensItself) open(true);
  clearTimeout(closing);
  if (!active.length) closing = setTimeout(closeUnread, CLOSE_AFTER_MS);
}

function closeUnread() {
  if (drawer.matches(":hover, :focus-within")) closing = setTimeout(closeUnread, CLOSE_AFTER_MS);
  else open(false);
}

function sayHow(all, active) {
  const words = drawer.querySelector(".drawer-words");
  const text = active ? `${active} ${active === 1 ? "operation" : "operations"} running` : `${all} ended`;
  if (words.textContent !== text) words.textContent = text;
}

function open(yes) {
  drawer.dataset.open = String(yes);
  drawer.querySelector(".drawer-handle").setAttribute("aria-expanded", String(yes));
  sessionStorage.setItem("drawer", yes ? "open" : "closed");
}

// A message that says that all went well goes by itself, unless somebody is reading it.
function dismissDone(event) {
  const message = event.target;
  if (message.dataset?.operationState !== "succeeded" || !message.closest("#messages")) return;
  const go = () => (message.matches(":hover, :focus-within") ? setTimeout(go, DISMISS_AFTER_MS) : message.remove());
  setTimeout(go, DISMISS_AFTER_MS);
}

if (drawer) {
  drawer.querySelector(".drawer-handle").addEventListener("click", () => open(drawer.dataset.open !== "true"));
  if (opensItself && sessionStorage.getItem("drawer") === "open") open(true);
  new MutationObserver(look).observe(drawer.querySelector("#drawer-list"), { childList: true, subtree: true });
  document.addEventListener("live-replaced", dismissDone);
}
