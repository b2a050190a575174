// One conversation on the page: turns by upsert, what was done beside them (tools, notes), interim text behind, and a view that follows the
// end unless somebody reads above.

import { element, svgElement } from "./element.js";
import { say } from "./words.js";

const NEAR_END_PX = 60;
const STRIP_MS = 2000;

function latencyNode(turn) {
  const node = element("span", "turn-latency");
  const longest = Math.max(STRIP_MS, turn.latency_ms);
  const strip = svgElement("svg", { class: "strip", viewBox: `0 0 ${longest} 10`, preserveAspectRatio: "none", "aria-hidden": "true" });
  for (const part of turn.parts) {
    strip.append(svgElement("rect", { class: part.name, x: part.start_ms, y: 0, width: part.length_ms, height: 10 }));
  }
  const words = turn.parts.map((part) => `${part.words} ${part.length_ms} ms`).join(", ");
  node.title = words;
  const figures = element("span", "turn-parts");
  figures.append(element("span", "visually-hidden", `${say("latency:")} `), words);
  node.append(strip, element("strong", `tone-${turn.latency_tone}`, turn.latency_words), figures);
  return node;
}

// What nobody heard, where it was cut. Beside it only the heard words are text nodes of their paragraph: the player counts their letters.
function cutNode(part) {
  const node = element("span", "cut");
  node.append(part.before, element("s", "", part.text), part.after);
  return node;
}

function turnNode(turn) {
  const node = element("div", `turn ${turn.speaker}`);
  node.dataset.turn = keyOf(turn);
  const who = element("div", "turn-who", turn.speaker === "agent" ? say("Agent") : say("Caller"));
  who.append(element("time", "", turn.at_words));
  const said = element("div", "turn-said");
  const text = element("p", "turn-text");
  for (const part of turn.said) text.append(part.heard ? part.text : cutNode(part));
  const facts = element("div", "turn-facts");
  if (turn.latency_ms !== null) facts.append(latencyNode(turn));
  if (turn.interrupted) {
    const ms = turn.silence_after_ms;
    facts.append(element("span", "tag", ms === null ? say("interrupted") : say("interrupted, quiet after {ms} ms", { ms })));
  } else if (turn.cut) facts.append(element("span", "tag", say("broke off")));
  said.append(text, facts);
  node.append(who, said);
  return node;
}

// A tool with what it was given and what it gave back, an operator's note to the agent, or one for other people: as _beside.html.
function besideNode(entry) {
  const node = element("div", `turn beside ${entry.kind}`);
  node.id = entry.key;
  node.dataset.turn = entry.key;
  const who = element("div", "turn-who", entry.kind === "tool" ? say("Tool") : say("Note"));
  who.append(element("time", "", entry.at_words));
  const said = element("div", "turn-said");
  const head = element("p", "beside-what", entry.what);
  head.append(" ", element("span", `pill ${entry.tone}`, entry.state_words));
  said.append(head);
  for (const [name, text] of [["", entry.text], [say("asked"), entry.arguments], [say("gave back"), entry.result]]) {
    if (!text) continue;
    const line = element("p", "beside-text");
    if (name) line.append(element("b", "", `${name} `));
    line.append(text);
    said.append(line);
  }
  node.append(who, said);
  return node;
}

const keyOf = (entry) => entry.key ?? `${entry.speaker}-${entry.number}`;
const inOrder = (one, other) => one.at_ms - other.at_ms || (one.number ?? 0) - (other.number ?? 0);

export class Transcript {
  // log: the element that holds turns (role=log); interim: the one that holds unfinished text; scroller: what scrolls, or null;
  // latest: the "jump to the latest" button's wrapper, or null. Turns that the server has rendered into the log are taken over.
  constructor({ log, interim, scroller = null, latest = null }) {
    Object.assign(this, { log, interim, scroller, latest });
    this.entries = new Map();
    this.following = true;
    for (const node of log.querySelectorAll("[data-turn]")) {
      const number = node.classList.contains("beside") ? 0 : Number(node.dataset.turn.split("-")[1]);
      const turn = { at_ms: Number(node.dataset.atMs), number };
      this.entries.set(node.dataset.turn, { turn, node, written: "" });
    }
    scroller?.addEventListener("scroll", () => {
      this.following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END_PX;
      if (latest) latest.hidden = this.following;
    });
    latest?.querySelector("button").addEventListener("click", () => {
      this.following = true;
      this.follow();
    });
  }

  get empty() {
    return this.entries.size === 0 && this.interim.childElementCount === 0;
  }

  reset() {
    this.entries.clear();
    this.log.replaceChildren();
    this.interim.replaceChildren();
    this.following = true;
    if (this.latest) this.latest.hidden = true;
  }

  // All turns as the server knows them, and what was done beside them; what it does not know goes. A draft is still being said.
  replace(turns, beside = []) {
    const entries = [...turns.filter((turn) => !turn.draft), ...beside];
    const known = new Set(entries.map(keyOf));
    for (const [key, entry] of [...this.entries]) {
      if (known.has(key)) continue;
      entry.node.remove();
      this.entries.delete(key);
    }
    for (const entry of entries) this.put(entry, false);
    for (const turn of turns) {
      const interim = this.interim.querySelector(`.${turn.speaker}`);
      if (turn.draft && !(Number(interim?.dataset.number) >= turn.number)) this.say(turn.speaker, turn.text, turn.number);
      else if (!turn.draft && interim && Number(interim.dataset.number) <= turn.number) interim.remove(); // its end went missing on the way
    }
    this.follow();
  }

  put(turn, fresh = true) {
    const key = keyOf(turn);
    const before = this.entries.get(key);
    const written = JSON.stringify(turn);
    if (before?.written === written) return;
    const node = turn.kind ? besideNode(turn) : turnNode(turn);
    if (before) before.node.replaceWith(node);
    else {
      if (fresh) node.classList.add("fresh");
      // Turns arrive in order nearly always; a late one still lands where it was spoken.
      const later = [...this.entries.values()].filter((entry) => inOrder(entry.turn, turn) > 0);
      later.sort((one, other) => inOrder(one.turn, other.turn));
      this.log.insertBefore(node, later[0]?.node ?? null);
    }
    this.entries.set(key, { turn, node, written });
    if (fresh) {
      if (turn.speaker) this.say(turn.speaker, "");
      this.follow();
    }
  }

  // What somebody seems to be saying right now; an empty text takes it back.
  // Words may arrive after the turn they belong to has ended: then they are old news.
  say(speaker, text, number = null) {
    if (this.entries.has(`${speaker}-${number}`)) return;
    const known = this.interim.querySelector(`.${speaker}`);
    if (!text) {
      known?.remove();
      return;
    }
    if (known) {
      known.querySelector(".turn-text").textContent = text;
      known.dataset.number = number ?? "";
    } else {
      const node = element("div", `turn interim ${speaker}`);
      node.dataset.number = number ?? "";
      const said = element("div", "turn-said");
      said.append(element("p", "turn-text", text));
      node.append(element("div", "turn-who", speaker === "agent" ? say("Agent") : say("Caller")), said);
      this.interim.append(node);
    }
    this.follow();
  }

  silence() {
    this.interim.replaceChildren();
  }

  follow() {
    if (this.scroller && this.following) this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}
