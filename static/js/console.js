// The console page. The panel gives a ticket, the ticket opens a WebSocket, noVNC draws what comes. When the line
// ends, its close code says what to show and whether to come back by itself, each time with a new ticket.

import RFB from "../npm/@novnc/novnc/core/rfb.js";
import { press, release, type } from "./console-keys.js";
import { say } from "./messages.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const OFF_WAIT_MS = 10_000; // a push about the machine's state comes first; this is for a page without its live socket
const OTHERS_MS = 20_000;
const STEADY_MS = 5_000; // a line that lived this long was a good one: the next wait is short again

const page = document.getElementById("console");
const screen = document.getElementById("console-screen");
const again = document.getElementById("console-again");
const scale = document.getElementById("console-scale");
const viewOnly = document.getElementById("console-view-only");
const full = document.getElementById("console-full");
const closings = JSON.parse(document.getElementById("console-closings").textContent);

let rfb = null;
let turn = 0; // each attempt has a number; what an older one still has to say is not heard
let attempts = 0;
let openedAt = 0;
let timer;

const pressed = (button) => button.getAttribute("aria-pressed") === "true";

function show(phase, words = "", fix = "") {
  page.dataset.phase = phase;
  document.getElementById("console-words").textContent = words;
  document.getElementById("console-fix").textContent = fix;
  again.hidden = phase !== "ended";
}

async function connect() {
  clearTimeout(timer);
  const mine = ++turn;
  show("connecting", "Connecting");
  const answer = await askForTicket();
  if (mine !== turn) return;
  if (answer.ticket) attach(answer, mine);
  else if (answer.again) later(answer);
  else show("ended", answer.words, answer.fix);
}

async function askForTicket() {
  const answer = await fetch(page.dataset.ticket, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": page.dataset.csrf },
    body: JSON.stringify({ mode: pressed(viewOnly) ? "view_only" : "full" }),
  }).catch(() => null);
  if (!answer) return { words: "The panel can't be reached.", again: true };
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  if (answer.status === 401) return { words: "You were signed out.", fix: "Reload the page to sign in again." };
  if (answer.status === 404 || answer.status === 403) return { words: "You may not use this console." };
  return { words: told.title ?? "The panel did not answer.", fix: told.fix, again: true, off: told.code === "machine_off" };
}

function attach({ ticket, path }, mine) {
  const line = new WebSocket(`wss://${location.host}${path}`, ["binary", `ticket.${ticket}`]);
  line.addEventListener("close", (event) => closed(event, mine));
  rfb = new RFB(screen, line);
  rfb.background = "transparent";
  rfb.scaleViewport = pressed(scale);
  rfb.viewOnly = pressed(viewOnly);
  rfb.addEventListener("connect", opened);
  rfb.addEventListener("clipboard", (event) => {
    document.getElementById("console-clipboard-form").elements.text.value = event.detail.text;
  });
}

function opened() {
  openedAt = performance.now();
  show("open");
  if (!document.querySelector("dialog[open]")) rfb.focus();
  showOthers();
}

function closed(event, mine) {
  if (mine !== turn) return;
  rfb = null;
  if (openedAt && performance.now() - openedAt > STEADY_MS) attempts = 0;
  openedAt = 0;
  const closing = closings[event.code] ?? { words: "The connection was cut.", again: true };
  if (closing.again) later(closing);
  else show("ended", closing.words);
}

function later({ words, fix, off = false }) {
  attempts += 1;
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempts - 1)) * (0.5 + Math.random() / 2);
  show(off ? "off" : "waiting", words, off ? "The console opens by itself as soon as it can." : (fix ?? "Connecting again"));
  timer = setTimeout(connect, off ? OFF_WAIT_MS : wait);
}

function stateChanged(event) {
  if (event.target.id !== "console-state" || event.target.dataset.on !== "yes") return;
  if (["off", "waiting"].includes(page.dataset.phase)) {
    attempts = 0;
    connect();
  }
}

async function showOthers() {
  if (page.dataset.phase !== "open" || document.hidden) return;
  const answer = await fetch(page.dataset.ticket).catch(() => null);
  if (!answer?.ok) return;
  const names = (await answer.json()).map((one) => one.user);
  const own = names.indexOf(page.dataset.user);
  if (own >= 0) names.splice(own, 1);
  document.getElementById("console-others").textContent = names.length ? `Also here: ${names.join(", ")}` : "";
}

function toggle(button, on) {
  button.setAttribute("aria-pressed", String(on));
  if (rfb) {
    rfb.scaleViewport = pressed(scale);
    rfb.viewOnly = pressed(viewOnly);
    rfb.focus();
  }
}

async function toggleFull() {
  if (document.fullscreenElement) return document.exitFullscreen();
  await document.documentElement.requestFullscreen();
  // Where the browser allows it, Esc and Alt-Tab go to the machine; holding Esc still leaves full screen.
  return navigator.keyboard?.lock?.().catch(() => {});
}

function startTools() {
  again.addEventListener("click", connect);
  scale.addEventListener("click", () => toggle(scale, !pressed(scale)));
  viewOnly.addEventListener("click", () => toggle(viewOnly, !pressed(viewOnly)));
  full.addEventListener("click", () => toggleFull().catch(() => say("This browser does not allow full screen.")));
  document.addEventListener("fullscreenchange", () => toggle(full, document.fullscreenElement !== null));
  for (const item of document.querySelectorAll("[data-keys]")) {
    item.addEventListener("click", () => rfb && (press(rfb, item.dataset.keys.split(" ")), rfb.focus()));
  }
}

function startDialogs() {
  document.getElementById("console-type-form").addEventListener("submit", (event) => {
    const field = event.target.elements.text;
    if (rfb) type(rfb, field.value);
    field.value = "";
  });
  document.getElementById("console-clipboard-form").addEventListener("submit", (event) => {
    rfb?.clipboardPasteFrom(event.target.elements.text.value);
  });
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("close", () => rfb?.focus());
  }
}

// The screen takes every key; this chord is the way out of it for people without a mouse.
function leaveByKeys(event) {
  if (!(event.ctrlKey && event.altKey && event.shiftKey) || !screen.contains(document.activeElement)) return;
  event.preventDefault();
  if (rfb) release(rfb, ["ControlLeft", "AltLeft", "ShiftLeft"]);
  document.getElementById("console-keys").focus();
}

startTools();
startDialogs();
addEventListener("keydown", leaveByKeys, { capture: true });
document.addEventListener("live-replaced", stateChanged);
setInterval(showOthers, OTHERS_MS);
connect();
