// What a finished call's page can do beside telling: play the recording, print, copy a link. A shared call has the same.

import { listen } from "./listen.js";
import { say } from "./words.js";

const page = document.getElementById("call");
listen(page);
document.addEventListener("htmx:afterSettle", () => listen(page));

document.addEventListener("click", async (event) => {
  if (event.target.closest("[data-print]")) print();
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const words = button.querySelector("span");
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    words.textContent = say("Copied");
  } catch {
    button.parentElement.querySelector("input").select(); // the browser keeps its clipboard to itself: the person copies
    words.textContent = say("Press Ctrl+C");
  }
});

// On paper nothing can be opened: everything that is folded is shown.
const folded = [];
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open])")) {
    details.open = true;
    folded.push(details);
  }
});
addEventListener("afterprint", () => {
  for (const details of folded.splice(0)) details.open = false;
});
