// The small picture of a machine's screen. Loading it asks for a newer one, which a live hint announces; so it is
// loaded now and then, but only while somebody can see it: a picture that nobody looks at is never taken.

const EVERY_MS = 5000;

const loading = new WeakSet();

async function load(frame) {
  if (loading.has(frame) || !frame.isConnected) return;
  loading.add(frame);
  try {
    const answer = await fetch(frame.dataset.screen, { headers: { Accept: "image/*" } });
    if (answer.status === 200) show(frame, await answer.blob());
  } catch {
    // The panel or the network is away: the live mark says so, and the next round tries again.
  } finally {
    loading.delete(frame);
  }
}

function show(frame, picture) {
  const image = frame.querySelector("img");
  const before = image.src;
  image.src = URL.createObjectURL(picture);
  image.hidden = false;
  if (before.startsWith("blob:")) URL.revokeObjectURL(before);
}

function isSeen(frame) {
  if (document.hidden || frame.closest(".live-gone")) return false;
  const box = frame.getBoundingClientRect();
  return box.bottom > 0 && box.top < innerHeight && box.width > 0;
}

function loadSeen() {
  for (const frame of document.querySelectorAll("[data-screen]")) {
    if (isSeen(frame)) load(frame);
  }
}

// `live-refresh` doesn't bubble, but it can be caught on its way down.
document.addEventListener("live-refresh", ({ target }) => target.matches("[data-screen]") && isSeen(target) && load(target), {
  capture: true,
});
document.addEventListener("live-replaced", loadSeen);
document.addEventListener("visibilitychange", loadSeen);
setInterval(loadSeen, EVERY_MS);
loadSeen();
