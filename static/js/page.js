// What every page does: the theme switch, the confirmation dialog, and telling when a request of htmx failed.

import { say } from "./words.js";

function currentTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
}

document.querySelector("[data-theme-toggle]")?.addEventListener("click", () => {
  const next = currentTheme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Not remembered, but applied.
  }
});

// An element with data-confirm-title asks in our own dialog before htmx sends its request.
document.addEventListener("htmx:confirm", (event) => {
  const asked = event.detail.elt.closest("[data-confirm-title]");
  const dialog = document.getElementById("confirm");
  if (!asked || !dialog) return;
  event.preventDefault();
  dialog.querySelector("#confirm-title").textContent = asked.dataset.confirmTitle;
  dialog.querySelector("#confirm-text").textContent = asked.dataset.confirmText ?? "";
  dialog.querySelector("#confirm-yes").textContent = asked.dataset.confirmYes ?? say("Confirm");
  dialog.returnValue = "no";
  dialog.addEventListener("close", () => dialog.returnValue === "yes" && event.detail.issueRequest(true), { once: true });
  dialog.showModal();
});

// Filters that are not set stay out of the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") return;
  for (const [name, value] of [...event.detail.formData]) if (value === "") event.detail.formData.delete(name);
});

// What a request could not do, said once and taken away again; a response may ask for it with HX-Trigger: {"notice": …}.
document.addEventListener("notice", (event) => showFailure(event.detail.value));

function showFailure(text) {
  const box = document.getElementById("failures");
  if (!box) return;
  const notice = document.createElement("p");
  notice.className = "notice error";
  notice.textContent = text;
  box.className = "failures";
  box.replaceChildren(notice);
  setTimeout(() => {
    box.className = "visually-hidden";
    box.replaceChildren();
  }, 8000);
}

document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (status === 400 && event.detail.xhr.getResponseHeader("HX-Trigger")) return; // it has said what is wrong
  if (status === 401 || status === 403) showFailure(say("You are logged out, or this page is too old. Load it again."));
  else if (status === 404) showFailure(say("That is not there any more. Load the page again."));
  else showFailure(say("The server could not do that ({status}). Try again in a moment.", { status }));
});
document.addEventListener("htmx:sendError", () => showFailure(say("The server does not answer. Check your connection and try again.")));
document.addEventListener("htmx:timeout", () => showFailure(say("The server did not answer in time. Try again.")));
