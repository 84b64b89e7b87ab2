// Draws a page anew while its run goes on: fetches it again, and exchanges the parts that changed.
// What a reader has opened or closed stays so, and a part that the reader is in waits. Without this script the page
// reloads itself.
"use strict";

function exchange(part, fresh) {
  for (const details of fresh.querySelectorAll("details[id]")) {
    const before = document.getElementById(details.id);
    if (before) details.open = before.open;
  }
  const selected = document.getSelection();
  const reads = selected && !selected.isCollapsed && part.contains(selected.anchorNode);
  if (fresh.innerHTML === part.innerHTML || reads) return;
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  part.replaceChildren(...fresh.childNodes);
  if (focused) part.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
}

async function refresh() {
  const content = document.getElementById("content");
  const response = await fetch(location.href, { cache: "no-store" });
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const before = [...document.querySelectorAll("[data-part]")];
  const after = [...page.querySelectorAll("[data-part]")];
  if (before.length !== after.length || (document.getElementById("log") === null) !== (page.getElementById("log") === null)) {
    location.reload(); // a part came or went: the first attempt began, its log is there
    return;
  }
  for (const part of before) {
    const fresh = page.getElementById(part.id);
    if (fresh) exchange(part, fresh);
  }
  if (!page.getElementById("content").dataset.live) delete content.dataset.live;
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
