// Ctrl-K: go to a machine, a host or a page, or do something to a machine, without the mouse.

import { say } from "./messages.js";

const WAIT_MS = 120;

const dialog = document.getElementById("palette");
const input = dialog?.querySelector("input");
const list = dialog?.querySelector("[role=listbox]");
let chosen = 0;
let asked = 0;
let timer;
let searching = Promise.resolve();

function open() {
  input.value = "";
  dialog.showModal();
  input.focus();
  show(pages(""));
}

function show(results) {
  list.replaceChildren(...results.map(option));
  choose(0);
}

function choose(index) {
  const options = [...list.children];
  if (!options.length) return input.removeAttribute("aria-activedescendant");
  chosen = (index + options.length) % options.length;
  options.forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
  options[chosen].scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", options[chosen].id);
}

async function search() {
  const text = input.value.trim();
  const turn = ++asked;
  const own = pages(text);
  if (!text) return show(own);
  const answer = await fetch(`${dialog.dataset.search}?q=${encodeURIComponent(text)}`).catch(() => null);
  const found = answer?.ok && !answer.redirected ? (await answer.json()).results : [];
  if (turn === asked && dialog.open) show([...found, ...own]);
}

function onInput() {
  clearTimeout(timer);
  searching = new Promise((resolve) => {
    timer = setTimeout(() => search().then(resolve), WAIT_MS);
  });
}

async function onKey(event) {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
  } else if (event.key === "Enter") {
    event.preventDefault();
    await searching; // whoever types and presses Enter at once means what was typed, not what is still shown
    list.children[chosen]?.click();
  }
}

export function startPalette() {
  if (!dialog) return;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      dialog.open ? dialog.close() : open();
    }
  });
  document.querySelector("[data-open=palette]")?.addEventListener("click", open);
  input.addEventListener("input", onInput);
  input.addEventListener("keydown", onKey);
  list.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

function pages(text) {
  const wanted = text.toLowerCase();
  return [...document.querySelectorAll("a[data-palette]")]
    .map((link) => ({ title: link.textContent.trim(), hint: "Page", url: link.href }))
    .filter((page) => page.title.toLowerCase().includes(wanted));
}

let ids = 0;

function option(result) {
  const item = document.createElement("li");
  item.id = `palette-option-${++ids}`;
  item.setAttribute("role", "option");
  const title = document.createElement("span");
  title.textContent = result.title;
  const hint = document.createElement("span");
  hint.className = "palette-hint";
  hint.textContent = result.hint;
  item.append(title, hint);
  item.addEventListener("click", () => (result.post ? post(result) : location.assign(result.url)));
  return item;
}

function post(result) {
  htmx
    .ajax("POST", result.post, { target: "#messages", swap: "beforeend", source: document.body })
    .catch(() => say("The panel can't be reached.", "Check the network, then try again."));
}
