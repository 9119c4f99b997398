// Keeps "14 s ago" true. The server writes the first words (core.units.human_since); these must be the same.

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
];

function since(seconds) {
  if (seconds < 2) return "just now";
  const [unit, size] = UNITS.find(([, size]) => seconds >= size);
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

function refresh() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("time[data-since]")) {
    const words = since((Date.now() - Date.parse(element.dateTime)) / 1000);
    if (element.textContent !== words) element.textContent = words;
  }
}

export function startTimes() {
  setInterval(refresh, 1000);
  document.addEventListener("visibilitychange", refresh);
}
