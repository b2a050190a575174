// Asks the server for something beside htmx: a POST whose answer a script needs, or whose address changes while the page is open.

import { say } from "./words.js";

export function notice(text) {
  document.dispatchEvent(new CustomEvent("notice", { detail: { value: text } }));
}

// The answer's JSON ({} if there is none), or null: then what went wrong has been said, by `tell`.
export async function ask(url, fields = {}, tell = notice) {
  const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
  let response;
  try {
    response = await fetch(url, { method: "POST", headers: { "X-CSRFToken": token }, body: new URLSearchParams(fields), redirect: "manual" });
  } catch {
    tell(say("The server does not answer. Check your connection and try again."));
    return null;
  }
  if (response.status === 204) return {};
  const told = await response.json().catch(() => null);
  if (response.ok && told) return told;
  if (told?.error) tell(told.error);
  else if (response.type === "opaqueredirect" || response.status === 403) tell(say("You are logged out, or this page is too old. Load it again."));
  else if (response.status) tell(say("The server could not do that ({status}). Try again in a moment.", { status: response.status }));
  else tell(say("The server could not do that. Try again in a moment."));
  return null;
}
