// One socket per tab. Pieces of the page marked `data-live="KIND:KEY"` are replaced by what the server pushes.
// What may have changed between the drawing of a piece and its subscription is asked for by age (core.consumers).

import { say } from "./messages.js";

const SIGNED_OUT = 4401;
const MOST_TOPICS = 400; // the server takes no more (core.consumers)
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const PING_MS = 25_000;
const SILENCE_MS = 60_000;
const FRAGMENT_AGE_MS = 5_000; // a fragment that htmx has just swapped in was drawn within this time, surely

const GAP_MS = 2_000; // between two times of asking for the same piece, where it does not say `data-live-gap`

const waiting = new Map(); // element → html that waits for an open menu or a field in use
const resting = new Map(); // topic whose piece was asked for a moment ago → whether it changed again since
let socket;
let watched = null; // the topics that the server was told of on this socket
let attempts = 0;
let heardAt = 0; // performance.now() when the server was last heard; pieces are true up to then
let scheduled = false;

const pieces = (name) => document.querySelectorAll(`[data-live="${CSS.escape(name)}"]`);

function connect() {
  socket = new WebSocket(`wss://${location.host}/live/`);
  socket.addEventListener("open", () => {
    attempts = 0;
    watched = null;
    watch(performance.now() - heardAt);
    mark("on", "Live");
  });
  socket.addEventListener("message", (event) => {
    heardAt = performance.now();
    receive(JSON.parse(event.data));
  });
  socket.addEventListener("close", (event) => {
    if (event.code === SIGNED_OUT) return signedOut();
    reconnect();
  });
}

async function reconnect() {
  attempts += 1;
  mark("off", "Reconnecting");
  if (attempts === 3 && (await isSignedOut())) return signedOut();
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempts - 1));
  setTimeout(connect, wait * (0.5 + Math.random() / 2));
}

async function isSignedOut() {
  const answer = await fetch(location.href, { redirect: "manual" }).catch(() => null);
  return answer?.type === "opaqueredirect";
}

function signedOut() {
  mark("off", "Signed out");
  say("You were signed out.", "Reload the page to sign in again.", "warning");
}

function mark(state, word) {
  const element = document.getElementById("live-mark");
  if (!element) return;
  element.dataset.state = state;
  element.querySelector(".live-word").textContent = word;
}

// Tells the server the whole set of topics; `age` is how old, in milliseconds, the oldest of the new pieces may be.
function watch(age) {
  if (socket?.readyState !== WebSocket.OPEN) return;
  const all = new Set([...document.querySelectorAll("[data-live]")].map((piece) => piece.dataset.live));
  const names = new Set([...all].slice(0, MOST_TOPICS));
  if (watched?.size === names.size && [...names].every((name) => watched.has(name))) return;
  watched = names;
  socket.send(JSON.stringify({ watch: [...names], age: Math.ceil(age) }));
}

function receive(message) {
  if (message.stale) return reread();
  if (message.gone) return pieces(message.gone).forEach((piece) => piece.classList.add("live-gone"));
  if (!message.topic) return undefined;
  if (message.html) pieces(message.topic).forEach((piece) => replace(piece, message.html));
  else refresh(message.topic);
  return undefined;
}

// Pieces that ask for themselves do so at once, then not for a while; what changes meanwhile is asked for at its end.
// (htmx's own throttle drops the last one, and its timers die with the element that an answer replaces.)
function refresh(topic) {
  if (resting.has(topic)) {
    resting.set(topic, true);
    return;
  }
  const found = [...pieces(topic)];
  if (!found.length) return;
  resting.set(topic, false);
  setTimeout(() => rested(topic), Number(found[0].dataset.liveGap ?? GAP_MS));
  found.forEach((piece) => piece.dispatchEvent(new CustomEvent("live-refresh", { bubbles: false })));
}

function rested(topic) {
  const underWay = [...pieces(topic)].some((piece) => piece.matches(".htmx-request"));
  if (underWay) {
    setTimeout(() => rested(topic), GAP_MS);
    return;
  }
  const again = resting.get(topic);
  resting.delete(topic);
  if (again) refresh(topic);
}

// A menu that is open, a field in use, a form half filled or sent back is not pulled away from under the person's hands.
function inUse(piece) {
  if (piece.querySelector(".dropdown-menu.show, dialog[open], form[data-changed], form .field-error")) return true;
  if ([...piece.querySelectorAll("form input, form textarea, form option")].some(typed)) return true;
  return piece.contains(document.activeElement) && document.activeElement.matches("input:not([data-pick]), textarea, select");
}

// Whether it holds something else than the page gave it: half of a form that is not sent yet.
function typed(field) {
  if (field.type === "hidden") return false;
  if (field.matches("option")) {
    const given = field.parentElement.querySelector("option[selected]");
    return given !== null && field.selected !== field.defaultSelected;
  }
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  return field.value !== field.defaultValue;
}

function replace(piece, html) {
  if (inUse(piece)) {
    waiting.set(piece, html);
    return;
  }
  const focus = focusPath(piece);
  const holder = document.createElement("template");
  holder.innerHTML = html.trim();
  const fresh = holder.content.firstElementChild;
  if (!fresh) return;
  keepOpen(piece, fresh);
  piece.replaceWith(fresh);
  window.htmx?.process(fresh);
  fresh.dispatchEvent(new CustomEvent("live-replaced", { bubbles: true }));
  if (focus) (fresh.querySelector(focus) ?? fresh).focus({ preventScroll: true });
}

function keepOpen(piece, fresh) {
  for (const open of piece.querySelectorAll("details[open][id]")) {
    fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
  }
}

// A selector that finds, in the new piece, what had the focus in the old one.
function focusPath(piece) {
  const active = document.activeElement;
  if (!active || active === piece || !piece.contains(active)) return "";
  if (active.id) return `#${CSS.escape(active.id)}`;
  if (active.matches("a[href]")) return `a[href="${CSS.escape(active.getAttribute("href"))}"]`;
  const form = active.closest("form[action]");
  return form ? `form[action="${CSS.escape(form.getAttribute("action"))}"] button` : "";
}

function applyWaiting() {
  for (const [piece, html] of waiting) {
    if (inUse(piece)) continue;
    waiting.delete(piece);
    if (piece.isConnected) replace(piece, html);
  }
}

// After a long silence the page itself is asked for again; pieces it still has are renewed one by one.
async function reread() {
  for (const piece of document.querySelectorAll("[data-live]")) refresh(piece.dataset.live);
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const piece of document.querySelectorAll("[data-live]")) {
    const fresh = page.querySelector(`[data-live="${CSS.escape(piece.dataset.live)}"]`);
    if (fresh) replace(piece, fresh.outerHTML);
  }
}

// Many changes of the page in one turn become one message.
function pageChanged() {
  if (scheduled) return;
  scheduled = true;
  queueMicrotask(() => {
    scheduled = false;
    watch(FRAGMENT_AGE_MS);
  });
}

function keepAwake() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  if (performance.now() - heardAt > SILENCE_MS) socket.close(4000);
  else socket.send(JSON.stringify({ ping: 1 }));
}

export function startLive() {
  connect();
  setInterval(keepAwake, PING_MS);
  new MutationObserver(pageChanged).observe(document.body, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["data-live"],
  });
  document.addEventListener("focusout", () => setTimeout(applyWaiting));
  document.addEventListener("hidden.bs.dropdown", () => setTimeout(applyWaiting));
  document.addEventListener("close", () => setTimeout(applyWaiting), { capture: true });
}
