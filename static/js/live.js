// The live page: calls in progress on the left, the watched one on the right, both fed by one socket.

import { CallRow } from "./call-row.js";
import { learnServerTime, startClock } from "./clock.js";
import { setText } from "./element.js";
import { LiveSocket, showState } from "./socket.js";
import { Watched } from "./watched.js";
import { say } from "./words.js";

const ENDED_STAYS_MS = 12_000;
const TITLE = document.title;

const page = document.getElementById("live");
const part = (name) => page.querySelector(`[data-part="${name}"]`);
const calls = new Map(); // session_id -> call, as the server last described it
const rows = new Map(); // session_id -> its CallRow
const watch = new Watched();
let watched = "";
let unseen = 0; // calls that run beyond those that the server describes
let chosen = false; // somebody picked the watched call, so a new call must not take its place

const socket = new LiveSocket("/ws/live/", { onMessage: receive, onState: showConnection });
startClock();

// Who acts on a call, or only reaches for it, has picked it: what they type and press must not land in the next one.
for (const act of ["click", "focusin"]) part("watch").addEventListener(act, () => (chosen ||= Boolean(watched)));

function showConnection(state, reason) {
  showState(part("connection"), state, reason);
  if (state === "refused") watch.stopListening();
}

function receive(message) {
  if (message.server_now) learnServerTime(message.server_now);
  const { kind, session_id: id } = message;
  if (kind === "snapshot") showSnapshot(message);
  else if (kind === "call") {
    showCall(message.call);
    settle();
  } else if (kind === "talk" && id === watched) watch.showTalk(message);
  else if (kind === "turn") addTurn(id, message.turn);
  else if (kind === "beside" && id === watched) watch.put(message.entry);
  else if (kind === "interim") addInterim(message);
}

function showSnapshot({ calls: current, more, figures, watched: talk }) {
  const live = new Set(current.map((call) => call.session_id));
  for (const call of current.toReversed()) showCall(call); // the server sends the newest first
  const oldest = more ? current.at(-1).pk : 0; // of those before it nothing is told: they are only counted
  for (const [id, call] of calls) if (call.live && !live.has(id) && call.pk > oldest) showCall({ ...call, live: false, talks: false });
  unseen = Math.max(0, current.length + more - running().length);
  part("more").hidden = more === 0;
  setText(part("more"), more ? say("and {more} more: open Calls to see them", { more }) : "");
  for (const [name, text] of Object.entries(figures)) setText(page.querySelector(`[data-figure="${name}"]`), text);
  if (talk && talk.session_id === watched) watch.showTalk(talk);
  settle();
  // A new connection does not know yet which call is watched here.
  if (watched && talk?.session_id !== watched) socket.send({ kind: "watch", session_id: watched });
}

// --- the list --------------------------------------------------------------------------------------------------------

function newRow(id) {
  const row = new CallRow(() => {
    chosen = true;
    watchCall(id);
    if (matchMedia("(max-width: 56rem)").matches) part("watch").scrollIntoView({ behavior: "smooth", block: "start" });
  });
  rows.set(id, row);
  part("rows").prepend(row.node); // newest on top
  return row;
}

function showCall(call) {
  const id = call.session_id;
  const before = calls.get(id);
  if (!before && !call.live) return;
  calls.set(id, call);
  (rows.get(id) ?? newRow(id)).show(call);
  if (before?.live !== false && !call.live) setTimeout(() => forget(id), ENDED_STAYS_MS);
  if (id === watched) watch.show(call);
}

function forget(id) {
  if (calls.get(id)?.live) return;
  if (id === watched && chosen) return; // somebody still reads it
  rows.get(id)?.node.remove();
  rows.delete(id);
  calls.delete(id);
  if (id === watched) watchCall("");
  settle();
}

function running() {
  return [...calls.values()].filter((call) => call.live);
}

// What follows from the set of calls: the count, the empty state, and which call is watched if nobody chose.
function settle() {
  const known = running();
  const count = known.length + unseen;
  setText(part("count"), String(count));
  setText(page.querySelector('[data-figure="running"]'), String(count));
  document.title = count ? `(${count}) ${TITLE}` : TITLE;
  part("empty").hidden = calls.size > 0;
  part("desk").hidden = calls.size === 0;
  // The newest talk, else the newest call; once watched, a call is watched to its end.
  const pick = known.findLast((call) => call.tone === "live") ?? known.at(-1);
  if (pick && !chosen && !calls.get(watched)?.live) watchCall(pick.session_id);
}

// --- the watched call --------------------------------------------------------------------------------------------------

function watchCall(id) {
  if (id === watched) return;
  watched = id;
  if (!id) chosen = false;
  for (const [key, row] of rows) row.node.setAttribute("aria-pressed", String(key === id));
  watch.turnTo(calls.get(id));
  socket.send({ kind: "watch", session_id: id });
}

function addTurn(id, turn) {
  const call = calls.get(id);
  if (call) {
    call.last = { speaker: turn.speaker, text: turn.text, speaking: false };
    if (turn.latency_ms !== null) Object.assign(call, { latency_words: turn.latency_words, latency_tone: turn.latency_tone });
    rows.get(id).show(call);
    if (id === watched) watch.show(call);
  }
  if (id === watched) watch.put(turn);
}

function addInterim({ session_id: id, speaker, text, number }) {
  const call = calls.get(id);
  if (call?.live && text) {
    call.last = { speaker, text, speaking: true };
    rows.get(id).say(call.last);
  }
  if (id === watched) watch.say({ speaker, text, number });
}

// The first paint comes with the page itself, so a slow socket shows no empty page.
const first = document.getElementById("first-snapshot");
if (first) receive(JSON.parse(first.textContent));
