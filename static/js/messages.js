// The corner where answers to buttons appear: at most four, the oldest goes first.

const MOST = 4;

export function say(title, words = "", level = "error") {
  const message = document.createElement("div");
  message.className = `message message-${level}`;
  if (level === "error") message.setAttribute("role", "alert");
  const body = document.createElement("div");
  body.className = "message-words";
  const strong = document.createElement("strong");
  strong.textContent = title;
  body.append(strong);
  if (words) {
    const more = document.createElement("div");
    more.textContent = words;
    body.append(more);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn-close";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", "Dismiss");
  message.append(body, close);
  document.getElementById("messages")?.append(message);
}

export function startMessages() {
  const corner = document.getElementById("messages");
  if (!corner) return;
  corner.addEventListener("click", (event) => {
    if (event.target.closest("[data-dismiss]")) event.target.closest(".message, #messages > *").remove();
  });
  new MutationObserver(() => {
    while (corner.children.length > MOST) corner.firstElementChild.remove();
  }).observe(corner, { childList: true });
}
