// Draws a page anew while its run goes on: fetches it again, and puts the new content in the old one's place.
// What a reader has opened or closed stays so. Without this script the page reloads itself.
"use strict";

async function refresh() {
  const old = document.getElementById("content");
  const response = await fetch(location.href, { cache: "no-store" });
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.getElementById("content");
  for (const details of fresh.querySelectorAll("details[id]")) {
    const before = document.getElementById(details.id);
    if (before) details.open = before.open;
  }
  if (fresh.innerHTML !== old.innerHTML) {
    old.replaceChildren(...fresh.childNodes);
  }
  if (!fresh.dataset.live) delete old.dataset.live;
}

async function loop() {
  const content = document.getElementById("content");
  while (content.dataset.live) {
    await new Promise((resume) => setTimeout(resume, 1000 * Number(content.dataset.live)));
    if (document.hidden) continue;
    // The farm may be gone for a moment; the next round finds it again.
    await refresh().catch(() => undefined);
  }
}

loop();
