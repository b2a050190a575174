// The page on which an agent is tried by voice: one test call after the other, each with what was said, how fast, and what was done.

import { ask } from "./ask.js";
import { learnServerTime, setTimer, startClock } from "./clock.js";
import { setText } from "./element.js";
import { LiveSocket } from "./socket.js";
import { Transcript } from "./transcript.js";
import { Line, LineProblem, openMicrophone } from "./try-line.js";
import { say } from "./words.js";

const LOUD = 0.02; // of full scale: above that somebody is heard

const page = document.getElementById("try");
const part = (name) => page.querySelector(`[data-part="${name}"]`);
const form = part("who");
const transcript = new Transcript({ log: part("log"), interim: part("interim"), scroller: part("scroller"), latest: part("latest") });
let line = null;
let updates = null;
let test = null; // { session_id, socket, unopened_url, call_url }
let muted = false;
let attempt = 0;

startClock();
part("start").addEventListener("click", start);
part("end").addEventListener("click", end);
part("mute").addEventListener("click", () => mute(!muted));
part("keypad").addEventListener("click", (event) => {
  const digit = event.target.closest("[data-digit]")?.dataset.digit;
  if (digit) line?.press(digit);
});
form.elements.what.addEventListener("change", () => (location.search = new URLSearchParams({ what: form.elements.what.value })));
addEventListener("pagehide", leave);

// state: idle, asking (for the microphone), connecting, talking, over
function show(state, words, tone = "") {
  page.dataset.state = state;
  setText(part("state"), words);
  part("state").className = `pill ${tone}`;
  const busy = state === "asking" || state === "connecting" || state === "talking";
  part("start").hidden = busy;
  setText(part("start").querySelector("span"), state === "idle" ? say("Start talking") : say("Try again"));
  part("end").hidden = !busy;
  part("on-line").hidden = state !== "talking";
  form.querySelector("fieldset").disabled = busy;
}

function problem(words) {
  part("problem").hidden = !words;
  setText(part("problem"), words);
}

async function start() {
  const mine = (attempt += 1);
  const wishes = Object.fromEntries(new FormData(form)); // before the fields are locked
  forget();
  problem("");
  show("asking", say("Waiting for the microphone"), "wait");
  try {
    const stream = await openMicrophone();
    const candidate = new Line(stream, {
      connected: () => show("talking", say("On the line"), "live"),
      level: (level) => drawLevel("mine", level),
      heard: (told) => heard(told),
      microphoneGone: () => problem(say("The microphone is gone. The agent hears silence until you start again with one.")),
      ended: (how) => line === candidate && over(how),
    });
    if (mine !== attempt) return candidate.end(true);
    line = candidate;
    await candidate.prepare();
  } catch (error) {
    return stopped(mine, error instanceof LineProblem ? error.message : say("The sound could not be set up. Load the page again."));
  }
  if (mine !== attempt) return;
  show("connecting", say("Connecting"), "wait");
  const given = await ask(page.dataset.start, wishes, problem);
  if (mine !== attempt) return given && giveBack(given);
  if (!given) return stopped(mine, part("problem").textContent);
  test = given;
  watch(given);
  mute(false);
  line.open(given.socket, given.session_id);
}

// It came to nothing before there was a line.
function stopped(mine, words) {
  if (mine !== attempt) return;
  attempt += 1;
  const unused = line;
  line = null;
  unused?.end(true);
  show("over", say("Not started"), "bad");
  problem(words);
}

function end() {
  if (page.dataset.state === "talking") return line.hangUp();
  attempt += 1; // whatever is being prepared is for nobody
  const unused = line;
  line = null;
  unused?.end(true);
  if (test && !unused?.opened) giveBack(test);
  show("over", say("Ended before it began"));
}

async function over({ opened, clean }) {
  const mine = attempt;
  line = null;
  drawLevel("mine", 0);
  drawLevel("agent", 0);
  if (!opened) {
    show("over", say("Not connected"), "bad");
    const told = await ask(test.unopened_url, {}, problem);
    if (told && mine === attempt) problem(told.words);
    return;
  }
  show("over", say("Over"));
  if (!clean) problem(say("The line broke: the network, or the media process, gave up. What was said until then is kept."));
  showLink();
}

function giveBack(given) {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  // It goes out even if the page is left.
  fetch(given.unopened_url, { method: "POST", headers: { "X-CSRFToken": token }, keepalive: true }).catch(() => {});
}

function leave() {
  if (page.dataset.state === "talking") line.hangUp();
  else if (page.dataset.state === "connecting" && test) giveBack(test);
}

// --- what is shown -----------------------------------------------------------------------------------------------------------

function mute(wanted) {
  muted = wanted;
  line?.mute(muted);
  part("mute").setAttribute("aria-pressed", String(muted));
  setText(part("mute").querySelector("span"), muted ? say("Unmute") : say("Mute"));
}

function heard({ level, played, loudest }) {
  drawLevel("agent", level);
  page.dataset.played = String(played); // samples at 8 kHz
  page.dataset.loudest = loudest.toFixed(3);
}

function drawLevel(whose, level) {
  part(`level-${whose}`).setAttribute("width", Math.round(Math.sqrt(level) * 100));
  part(`side-${whose}`).classList.toggle("speaks", level > LOUD);
}

function forget() {
  updates?.close();
  updates = test = null;
  transcript.reset();
  for (const name of ["latency", "cost", "why"]) setText(part(name), "");
  part("latency").className = "";
  setTimer(part("timer"), "", "");
  part("after").hidden = true;
  hint();
}

function watch({ session_id }) {
  updates = new LiveSocket(`/ws/calls/${session_id}/`, { onMessage: receive, onState: () => {} });
}

function receive(message) {
  if (message.server_now) learnServerTime(message.server_now);
  if (message.call) showCall(message.call);
  if (message.kind === "snapshot" && message.watched) transcript.replace(message.watched.turns, message.watched.beside);
  else if (message.kind === "turn") transcript.put(message.turn);
  else if (message.kind === "beside") transcript.put(message.entry);
  else if (message.kind === "interim" && line) transcript.say(message.speaker, message.text, message.number);
  hint();
}

function showCall(call) {
  setTimer(part("timer"), call.live && call.talks ? call.since : "", call.live ? "" : call.duration_words);
  setText(part("latency"), call.latency_words ? say("answered in {latency}", { latency: call.latency_words }) : "");
  part("latency").className = `tone-${call.latency_tone}`;
  setText(part("cost"), call.cost_words);
  if (call.live) return;
  transcript.silence();
  setText(part("why"), call.end_words);
  showLink();
}

function showLink() {
  if (!test) return;
  part("after").hidden = false;
  part("call").href = test.call_url;
}

function hint() {
  part("hint").hidden = !transcript.empty;
}
