// What happens between the press of a button and the answer: a question where something would be lost, then a
// pending mark at once.

import { say } from "./messages.js";

const SENT_BACK = [409, 422]; // a form returned with its errors
const agreed = new WeakSet();

function ask({ title, words, button }) {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("#confirm-title").textContent = title;
  dialog.querySelector("#confirm-words").textContent = words;
  dialog.querySelector("#confirm-yes").textContent = button;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

async function onSubmit(event) {
  const form = event.target;
  if (form.method === "dialog") return;
  const { confirm, confirmTitle, confirmButton } = form.dataset;
  if (confirm && !agreed.has(form)) {
    event.preventDefault();
    event.stopImmediatePropagation();
    const submitter = event.submitter;
    if (await ask({ title: confirmTitle, words: confirm, button: confirmButton })) {
      const meant = standing(form);
      agreed.add(meant);
      meant.requestSubmit(meant === form ? submitter : undefined);
      agreed.delete(meant);
    }
    return;
  }
  if (form.method === "post") pending(event.submitter);
}

// What was asked about may have been drawn anew meanwhile, and a form outside of the page sends nothing.
function standing(form) {
  if (form.isConnected) return form;
  const address = form.getAttribute("action");
  return [...document.forms].find((other) => other.getAttribute("action") === address) ?? form;
}

function pending(button) {
  if (!button) return;
  button.classList.add("is-pending");
  button.setAttribute("aria-busy", "true");
  // After the submit event: a button disabled during it would leave its value out of the form.
  setTimeout(() => (button.disabled = true));
}

function settled(element) {
  for (const button of element.querySelectorAll(".is-pending")) {
    button.classList.remove("is-pending");
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
}

// An error is swapped where the server wants it (HX-Retarget) or, for a form sent back with its errors, in
// the form's place. Anything else, such as the front door's own pages, is said in our words.
function onAnswer(event) {
  const { xhr, isError } = event.detail;
  if (xhr.status < 400) return;
  if (xhr.getResponseHeader("HX-Retarget") || SENT_BACK.includes(xhr.status)) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  } else if (isError) {
    event.detail.shouldSwap = false;
    say("The panel did not answer as it should.", `Try again in a moment (${xhr.status}).`);
  }
}

export function startForms() {
  document.addEventListener("submit", onSubmit, { capture: true });
  document.addEventListener("htmx:afterRequest", (event) => settled(event.detail.elt));
  document.addEventListener("htmx:beforeSwap", onAnswer);
  document.addEventListener("htmx:sendError", () =>
    say("The panel can't be reached.", "Check the network, then try again."),
  );
  // A page brought back by the browser's own "back" still has its buttons disabled.
  addEventListener("pageshow", (event) => event.persisted && settled(document));
}
