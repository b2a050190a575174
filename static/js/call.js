// The call page: while the call lives, its turns and status arrive over a socket; what is computed afterwards is fetched anew.

import { learnServerTime, setTimer, startClock } from "./clock.js";
import { element, setText } from "./element.js";
import { LiveSocket, showState } from "./socket.js";
import { Transcript } from "./transcript.js";
import { say } from "./words.js";

const page = document.getElementById("call");
const part = (name) => page.querySelector(`[data-part="${name}"]`);
const transcript = new Transcript({ log: part("log"), interim: part("interim") });
let shown = page.dataset.version;

function receive(message) {
  if (message.server_now) learnServerTime(message.server_now);
  if (message.call) showCall(message.call);
  if (message.kind === "snapshot") replace(message);
  else if (message.kind === "turn") transcript.put(message.turn);
  else if (message.kind === "beside") transcript.put(message.entry);
  else if (message.kind === "interim") transcript.say(message.speaker, message.text, message.number);
  part("hint").hidden = !transcript.empty;
}

// What the server has drawn of a call that is over says more than the socket knows: what the recording tells of each turn.
function replace({ call, watched }) {
  const isDrawn = call && !call.live && transcript.entries.size === watched.turns.length + watched.beside.length;
  if (!isDrawn) transcript.replace(watched.turns, watched.beside);
}

function showCall(call) {
  part("status").replaceChildren(element("span", `pill ${call.tone}`, call.status_words));
  setTimer(part("timer"), call.live ? call.since : "", call.duration_words);
  setText(part("why"), call.end_words);
  part("why").classList.toggle("bad", call.tone === "bad");
  if (!call.live) transcript.silence();
  if (part("cost-so-far")) setText(part("cost-so-far"), call.cost_words);
  if (shown === call.version) return;
  shown = call.version;
  htmx.trigger(page, "call-changed");
}

if (page.dataset.watch === "yes") {
  new LiveSocket(`/ws/calls/${page.dataset.sessionId}/`, { onMessage: receive, onState: (state, reason) => showState(part("connection"), state, reason) });
}
startClock();

// The number is masked until somebody asks: shoulders can be looked over.
page.addEventListener("click", (event) => {
  const button = event.target.closest("[data-reveal]");
  if (!button) return;
  const number = page.querySelector("[data-number]");
  const hidden = number.dataset.number;
  number.dataset.number = number.textContent;
  number.textContent = hidden;
  const open = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(open));
  button.textContent = open ? say("Hide") : say("Show");
});
