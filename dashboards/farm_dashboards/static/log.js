// The log of a job: its end at once, then what comes, piece by piece. It goes on where it was after any pause, and
// keeps a bounded end of it on the page.
"use strict";

const LOOK = 1000;
const LARGEST = 2 * 1024 * 1024; // characters on the page

async function piece(source, cursor) {
  const address = new URL(source, location.href);
  if (cursor) address.searchParams.set("after", cursor);
  const response = await fetch(address, { cache: "no-store" });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

function append(log, text) {
  const below = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(text);
  log.dataset.size = Number(log.dataset.size || 0) + text.length;
  while (Number(log.dataset.size) > LARGEST && log.childNodes.length > 1) {
    log.dataset.size = Number(log.dataset.size) - log.firstChild.length;
    log.firstChild.remove();
    log.dataset.cut = "yes";
  }
  log.hidden = false;
  if (below) log.scrollTop = log.scrollHeight;
}

async function follow(log, state) {
  let cursor = null;
  for (;;) {
    let found = null;
    try {
      if (!document.hidden) found = await piece(log.dataset.source, cursor);
    } catch {
      state.textContent = "· the farm does not answer; trying again";
    }
    if (found) {
      cursor = found.cursor || cursor;
      if (found.skipped) log.dataset.cut = "yes";
      if (found.text) append(log, found.text);
      const end = found.ended ? (log.hidden ? "empty" : "") : "live";
      state.textContent = [end, log.dataset.cut ? "its end only" : ""].filter(Boolean).map((word) => `· ${word}`).join(" ");
      if (found.ended && !found.more) return;
      if (found.more) continue;
    }
    await new Promise((resume) => setTimeout(resume, LOOK));
  }
}

const log = document.getElementById("log");
if (log) follow(log, document.getElementById("log-state"));
