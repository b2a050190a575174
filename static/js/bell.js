// The bell: how many alerts nobody looks after yet, asked for once a minute while somebody can see it. Silent when the server is away:
// the pages tell that themselves.

import { say } from "./words.js";

const EVERY_MS = 60_000;
const bell = document.querySelector("[data-bell]");
let known = null;
let timer = 0;

function show({ open, unseen }) {
  const badge = bell.querySelector(".bell-count");
  const shown = unseen > 99 ? "99+" : String(unseen);
  badge.textContent = shown;
  badge.hidden = unseen === 0;
  bell.dataset.state = unseen ? "new" : open ? "open" : "";
  const words = open ? say("Alerts: {shown} new, {open} open", { shown, open }) : say("Alerts: none");
  bell.setAttribute("aria-label", words);
  bell.title = words;
  // Said aloud only when there are more than a minute ago, not on every page.
  if (known !== null && unseen > known) document.getElementById("bell-said").textContent = words;
  known = unseen;
}

async function ask() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const answer = await fetch(bell.dataset.bell, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(15_000) });
    if (answer.status === 401) return;
    if (answer.ok) show(await answer.json());
  } catch {
    // Asked again in a minute; what the bell shows stays as it was.
  }
  clearTimeout(timer);
  timer = setTimeout(ask, EVERY_MS);
}

if (bell) {
  document.addEventListener("visibilitychange", ask);
  ask();
}
