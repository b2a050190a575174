// The prompt editor: a plain text area, and behind it the same text with its {{variables}} shaded. What no call could fill in is marked and named.

import { element } from "./element.js";
import { say } from "./words.js";

const PLACE = /\{\{([^{}]*)\}\}/g;
const CUSTOMER = /^customer\.[a-z][a-z0-9_]{0,39}$/;

// Cuts text into stretches: [text, "" | "known" | "unknown"]. The same judgement as the server's, which has the last word.
export function stretches(text, known) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(PLACE)) {
    if (match.index > at) found.push([text.slice(at, match.index), ""]);
    const name = match[1].split("|")[0].trim();
    found.push([match[0], known.includes(name) || CUSTOMER.test(name) ? "known" : "unknown"]);
    at = match.index + match[0].length;
  }
  if (at < text.length) found.push([text.slice(at), ""]);
  return found;
}

function enrich(editor) {
  const area = editor.querySelector("textarea");
  const problem = editor.parentElement.querySelector("[data-editor-problem]");
  const known = editor.dataset.known.split(",");
  const shade = element("div", "editor-shade");
  shade.setAttribute("aria-hidden", "true");
  editor.prepend(shade);
  editor.classList.add("shaded");

  function show() {
    const parts = stretches(area.value, known);
    shade.replaceChildren(...parts.map(([text, kind]) => (kind ? element("mark", kind, text) : document.createTextNode(text))));
    shade.append("\n");
    shade.scrollTop = area.scrollTop;
    const wrong = [...new Set(parts.filter(([, kind]) => kind === "unknown").map(([text]) => text))];
    const words = wrong.length ? say("No call can fill in {names}.", { names: wrong.join(", ") }) : "";
    if (problem && problem.textContent !== words) problem.textContent = words;
  }

  area.addEventListener("input", show);
  area.addEventListener("scroll", () => {
    shade.scrollTop = area.scrollTop;
  });
  show();
}

document.querySelectorAll("[data-editor]").forEach(enrich);

// A variable's button writes it where the cursor is, as typing would: it can be undone.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-insert]");
  if (!button) return;
  const area = document.getElementById(button.dataset.into);
  area.focus();
  const text = `{{${button.dataset.insert}}}`;
  if (!document.execCommand("insertText", false, text)) {
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }
});

// A form that was changed is not left by accident.
const form = document.getElementById("agent-form");
let changed = false;
form?.addEventListener("input", () => {
  changed = true;
});
form?.addEventListener("submit", () => {
  changed = false;
});
addEventListener("beforeunload", (event) => {
  if (changed) event.preventDefault();
});
