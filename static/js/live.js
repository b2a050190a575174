// The live page: calls in progress on the left, the watched one's transcript on the right, both fed by one socket.

import { learnServerTime, setTimer, startClock } from "./clock.js";
import { element, setText, svgElement } from "./element.js";
import { LiveSocket, showState } from "./socket.js";
import { Transcript } from "./transcript.js";

const ENDED_STAYS_MS = 12_000;

const page = document.getElementById("live");
const part = (name) => page.querySelector(`[data-part="${name}"]`);
const watch = part("watch");
const calls = new Map(); // session_id -> call, as the server last described it
const rows = new Map(); // session_id -> the row's button
const transcript = new Transcript({ log: part("log"), interim: part("interim"), scroller: part("scroller"), latest: part("latest") });
let watched = "";
let chosen = false; // somebody picked the watched call, so a new call must not take its place

const socket = new LiveSocket("/ws/live/", { onMessage: receive, onState: (state, reason) => showState(part("connection"), state, reason) });
startClock();

function receive(message) {
  if (message.server_now) learnServerTime(message.server_now);
  if (message.kind === "snapshot") showSnapshot(message);
  else if (message.kind === "call") {
    showCall(message.call);
    settle();
  } else if (message.kind === "turns" && message.session_id === watched) showTurns(message.turns);
  else if (message.kind === "turn") addTurn(message.session_id, message.turn);
  else if (message.kind === "interim") addInterim(message);
}

function showSnapshot({ calls: current, more, figures, watched: turns }) {
  const live = new Set(current.map((call) => call.session_id));
  for (const call of current.toReversed()) showCall(call); // the server sends the newest first
  for (const [id, call] of calls) if (call.live && !live.has(id)) showCall({ ...call, live: false });
  part("more").hidden = more === 0;
  setText(part("more"), more ? `and ${more} more: open Calls to see them` : "");
  for (const [name, text] of Object.entries(figures)) setText(page.querySelector(`[data-figure="${name}"]`), text);
  if (turns && turns.session_id === watched) showTurns(turns.turns);
  settle();
  // A new connection does not know yet which call is watched here.
  if (watched && turns?.session_id !== watched) socket.send({ kind: "watch", session_id: watched });
}

// --- the list --------------------------------------------------------------------------------------------------------

function newRow(call) {
  const row = element("button", "call-row");
  row.type = "button";
  row.append(element("span", "call-agent"), element("time", "call-timer"), element("span", "call-number"), element("span", "call-status"), element("span", "call-words"), element("span", "call-cost"));
  row.addEventListener("click", () => {
    chosen = true;
    watchCall(call.session_id);
    if (matchMedia("(max-width: 56rem)").matches) watch.scrollIntoView({ behavior: "smooth", block: "start" });
  });
  rows.set(call.session_id, row);
  part("rows").prepend(row); // newest on top
  return row;
}

function showCall(call) {
  const before = calls.get(call.session_id);
  if (!before && !call.live) return;
  calls.set(call.session_id, call);
  const row = rows.get(call.session_id) ?? newRow(call);
  const [agent, timer, number, status, words, cost] = row.children;
  setText(agent, call.agent);
  setText(number, callerText(call));
  status.replaceChildren(element("span", `pill ${call.tone}`, call.status_words));
  setTimer(timer, call.live ? call.since : "", call.duration_words);
  showWords(words, call.last);
  setText(cost, call.cost_words);
  row.classList.toggle("over", !call.live);
  if (before?.live !== false && !call.live) setTimeout(() => forget(call.session_id), ENDED_STAYS_MS);
  if (call.session_id === watched) showWatched(call);
}

function callerText(call) {
  return `${call.direction === "inbound" ? "Inbound" : "Outbound"} · ${call.number}`;
}

function showWords(node, last) {
  node.replaceChildren();
  if (!last?.text) return;
  node.append(element("b", "", last.speaker === "agent" ? "Agent " : "Caller "), last.text);
}

function forget(id) {
  if (calls.get(id)?.live) return;
  if (id === watched && chosen) return; // somebody still reads it
  rows.get(id)?.remove();
  rows.delete(id);
  calls.delete(id);
  if (id === watched) watchCall("");
  settle();
}

// What follows from the set of calls: the count, the empty state, and which call is watched if nobody chose.
function settle() {
  const running = [...calls.values()].filter((call) => call.live);
  setText(part("count"), String(running.length));
  setText(page.querySelector('[data-figure="running"]'), String(running.length));
  document.title = running.length ? `(${running.length}) Live · voiceagents` : "Live · voiceagents";
  part("empty").hidden = calls.size > 0;
  part("desk").hidden = calls.size === 0;
  // The newest talk, else the newest call; once watched, a call is watched to its end.
  const pick = running.findLast((call) => call.tone === "live") ?? running.at(-1);
  if (pick && !chosen && !calls.get(watched)?.live) watchCall(pick.session_id);
}

// --- the watched call --------------------------------------------------------------------------------------------------

function watchCall(id) {
  if (id === watched) return;
  watched = id;
  if (!id) chosen = false;
  transcript.reset();
  for (const [key, row] of rows) row.setAttribute("aria-pressed", String(key === id));
  if (id) showWatched(calls.get(id));
  showHint();
  socket.send({ kind: "watch", session_id: id });
}

function showWatched(call) {
  for (const [key, row] of rows) row.setAttribute("aria-pressed", String(key === watched));
  setText(part("watch-agent"), call.agent);
  setText(part("watch-number"), callerText(call));
  setText(part("watch-cost"), call.cost_words);
  part("watch-status").replaceChildren(element("span", `pill ${call.tone}`, call.status_words));
  setTimer(part("watch-timer"), call.live ? call.since : "", call.duration_words);
  part("watch-open").href = call.url;
  setText(part("watch-end"), call.live ? "" : call.end_words);
  const form = part("hangup");
  form.hidden = !call.live;
  form.setAttribute("action", call.hangup_url);
  form.setAttribute("hx-post", call.hangup_url);
  const button = form.querySelector("button");
  button.disabled = call.hangup_requested || form.classList.contains("htmx-request");
  setText(button.querySelector("span"), call.hangup_requested ? "Hanging up" : "Hang up");
  if (!call.live) transcript.silence();
  showHint();
}

function showTurns(turns) {
  transcript.replace(turns);
  showHint();
}

function addTurn(id, turn) {
  const call = calls.get(id);
  if (call) {
    call.last = { speaker: turn.speaker, text: turn.text };
    showWords(rows.get(id).children[4], call.last);
  }
  if (id !== watched) return;
  transcript.put(turn);
  showHint();
}

function addInterim({ session_id: id, speaker, text, number }) {
  const call = calls.get(id);
  if (call && text) showWords(rows.get(id).children[4], { speaker, text });
  if (id !== watched || !call?.live) return;
  transcript.say(speaker, text, number);
  showHint();
}

function showHint() {
  const hint = part("hint");
  hint.hidden = !transcript.empty;
  const call = calls.get(watched);
  if (!call) return setText(hint.querySelector("p"), "Pick a call to read along.");
  setText(hint.querySelector("p"), call.live ? "Nothing said yet. Words appear here as they are spoken." : "Nothing was said in this call.");
}

// htmx enables the button when its answer arrives, which may be after the socket has told that the hang-up is under way.
part("hangup").addEventListener("htmx:afterRequest", () => calls.has(watched) && showWatched(calls.get(watched)));

// The first paint comes with the page itself, so a slow socket shows no empty page.
const first = document.getElementById("first-snapshot");
if (first) receive(JSON.parse(first.textContent));
