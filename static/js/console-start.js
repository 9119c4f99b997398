// Starts the console page. Its script comes in some thirty files; a line that breaks while they are fetched would leave
// the page at "Connecting" for good: a network that changes, or on the panel's own machine just a guest that starts.

const AGAIN_MS = 2000;

import("./console.js").catch((error) => {
  console.error(error);
  document.getElementById("console-words").textContent = "The page did not load. Loading it again";
  setTimeout(() => location.reload(), AGAIN_MS);
});
