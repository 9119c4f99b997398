// Files dropped on a page, sent by tus. The server remembers what it has of each file; a file that is chosen again
// goes on there, also in another tab.

import "../npm/tus-js-client/dist/tus.min.js"; // gives `window.tus`

// The server looks at this much before it wants the rest: a file that can't be used is refused at once.
const HEAD_BYTES = 1024 * 1024;
const RETRY_MS = [0, 1000, 3000, 5000, 10_000, 20_000, 30_000, 60_000];

const running = new Map(); // fingerprint → Sending
const refused = new Map(); // the same, for what the server will not take
const csrf = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];

async function fingerprintOf(file, pool) {
  const words = [file.name, file.size, file.lastModified, pool.host, pool.uuid].join("\n");
  const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(words));
  return [...new Uint8Array(sum)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  return `${Number((count / 1024 ** power).toPrecision(3))} ${units[power]}`;
}

// What the server has of this file already, as the page shows it.
const known = (fingerprint) =>
  document.querySelector(`[data-upload][data-state="receiving"][data-fingerprint="${CSS.escape(fingerprint)}"]`);

// Only one line for each file: this tab's own while it sends, else the server's.
function oneLineEach() {
  for (const line of document.querySelectorAll("[data-upload]")) {
    const { fingerprint, state } = line.dataset;
    line.hidden = running.has(fingerprint) && state === "receiving";
    if (state === "refused") refused.get(fingerprint)?.end();
  }
}

class Sending {
  constructor(zone, file, pool, fingerprint) {
    this.fingerprint = fingerprint;
    this.line = zone.querySelector("template[data-drop-row]").content.firstElementChild.cloneNode(true);
    this.part("name").textContent = file.name;
    this.part("pause").addEventListener("click", () => this.pauseOrGoOn());
    this.part("drop-it").addEventListener("click", () => this.discard());
    zone.querySelector("[data-drop-running]").append(this.line);
    this.upload = new tus.Upload(file, {
      endpoint: "/uploads/",
      uploadUrl: known(fingerprint)?.dataset.upload ?? null,
      metadata: { filename: file.name, pool: pool.uuid, host: pool.host, fingerprint },
      headers: { "X-CSRFToken": csrf() },
      chunkSize: HEAD_BYTES,
      retryDelays: RETRY_MS,
      storeFingerprintForResuming: false,
      onProgress: (sent, total) => this.progress(sent, total),
      onChunkComplete: () => (this.upload.options.chunkSize = Infinity),
      onShouldRetry: (error) => this.mayRetry(error),
      onError: (error) => this.fail(error),
      onSuccess: () => this.end(),
    });
  }

  part(name) {
    return this.line.querySelector(`[data-${name}]`);
  }

  start() {
    running.set(this.fingerprint, this);
    oneLineEach();
    this.paused = false;
    this.say("");
    this.part("pause").textContent = "Pause";
    this.startedAt = undefined;
    this.upload.start();
  }

  progress(sent, total) {
    const now = performance.now();
    this.startedAt ??= { now, sent };
    this.part("bar").value = total ? sent / total : 0;
    const rate = (sent - this.startedAt.sent) / Math.max(0.001, (now - this.startedAt.now) / 1000);
    const speed = rate > 0 ? `, ${bytes(rate)}/s` : "";
    this.part("words").textContent = `${Math.floor((100 * sent) / total)} % of ${bytes(total)}${speed}`;
  }

  pauseOrGoOn() {
    if (this.paused) return this.start();
    this.paused = true;
    this.upload.abort();
    this.part("pause").textContent = "Go on";
    this.part("words").textContent = "Paused";
    return undefined;
  }

  async discard() {
    await this.upload.abort(true).catch(() => null);
    this.end();
  }

  // Another tab that sends the same file (423), a wrong offset (409), a broken line or server: try again. A refusal
  // is for good.
  mayRetry(error) {
    const status = error.originalResponse?.getStatus() ?? 0;
    const retry = status === 0 || status === 409 || status === 423 || (status >= 500 && status !== 507);
    if (retry) this.part("words").textContent = status === 423 ? "Another tab sends it" : "Waiting for the panel";
    return retry;
  }

  fail(error) {
    const status = error.originalResponse?.getStatus() ?? 0;
    this.say(words(error) || "The panel can't be reached.");
    this.paused = true;
    this.part("words").textContent = "Stopped";
    const final = status >= 400 && status < 500 && status !== 409 && status !== 423;
    this.part("pause").textContent = "Go on";
    this.part("pause").hidden = final;
    this.part("drop-it").textContent = final ? "Dismiss" : "Discard";
    if (!final) return;
    running.delete(this.fingerprint);
    refused.set(this.fingerprint, this);
    oneLineEach();
  }

  say(text) {
    this.part("error").textContent = text;
    this.part("error").hidden = !text;
  }

  end() {
    running.delete(this.fingerprint);
    refused.delete(this.fingerprint);
    this.line.remove();
    oneLineEach();
  }
}

// The server's own words (RFC 9457).
function words(error) {
  try {
    const problem = JSON.parse(error.originalResponse.getBody());
    return `${problem.title} ${problem.fix ?? ""}`.trim();
  } catch {
    return "";
  }
}

async function take(zone, files) {
  const select = zone.querySelector("[data-drop-pool]");
  const pool = { uuid: select.value, host: select.selectedOptions[0].dataset.host };
  for (const file of files) {
    const fingerprint = await fingerprintOf(file, pool);
    if (!running.has(fingerprint)) new Sending(zone, file, pool, fingerprint).start();
  }
}

// Rooms that offer images fetch their choice anew when one has arrived.
const uploadsStored = () =>
  new Set([...document.querySelectorAll('[data-upload][data-state="stored"]')].map((line) => line.dataset.upload));
let stored = uploadsStored();

function tellOfStored() {
  const now = uploadsStored();
  if ([...now].some((upload) => !stored.has(upload))) document.body.dispatchEvent(new CustomEvent("volume-stored"));
  stored = now;
}

// Zones may come to the page later. A file that is dropped beside the zone is meant for it, too.
const zoneFor = (target) => target.closest?.("[data-drop]") ?? document.querySelector("[data-drop]");
const mark = (zone) =>
  document.querySelectorAll("[data-drop]").forEach((other) => other.classList.toggle("drop-over", other === zone));

document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  mark(zoneFor(event.target));
});
document.addEventListener("dragleave", (event) => event.relatedTarget ?? mark(null));
document.addEventListener("drop", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  mark(null);
  const zone = zoneFor(event.target);
  if (zone) take(zone, [...event.dataTransfer.files]);
});
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-drop-file]")) return;
  take(event.target.closest("[data-drop]"), [...event.target.files]);
  event.target.value = "";
});
document.addEventListener("live-replaced", () => {
  oneLineEach();
  tellOfStored();
});
// What was stored before the zone came to the page is no news.
document.addEventListener("htmx:load", () => (stored = uploadsStored()));
addEventListener("beforeunload", (event) => {
  if ([...running.values()].some((sending) => !sending.paused)) event.preventDefault();
});
