// The player of a call's recording: the waveform, the keyboard, and the transcript whose every word can be heard by a click on it.

import { element, painted } from "./element.js";
import { say } from "./words.js";

const STEP_S = 5;
const FINE_STEP_S = 1;
const WORD_MS = 900; // how long a word is marked if no other follows
const unplayable = () => say("The recording cannot be played just now. Load the page again: its link may have run out.");

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

// The place in a text that a pointer is on: {node, offset}, or null. Two browsers' names for one thing.
function caretAt(x, y) {
  const position = document.caretPositionFromPoint?.(x, y);
  if (position) return { node: position.offsetNode, offset: position.offset };
  const range = document.caretRangeFromPoint?.(x, y);
  return range ? { node: range.startContainer, offset: range.startOffset } : null;
}

// The heard words of a turn are the text nodes of its paragraph; what nobody heard stands in elements between them.
const heardNodes = (text) => [...text.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);

// How many of the turn's letters stand before this node; -1 if it holds none of them.
function lettersBefore(text, wanted) {
  let letters = 0;
  for (const node of heardNodes(text)) {
    if (node === wanted) return letters;
    letters += node.length;
  }
  return -1;
}

function wordRange(text, [start, end]) {
  let letters = 0;
  for (const node of heardNodes(text)) {
    if (start < letters + node.length) {
      if (end > letters + node.length) return null;
      const range = new Range();
      range.setStart(node, start - letters);
      range.setEnd(node, end - letters);
      return range;
    }
    letters += node.length;
  }
  return null;
}

// The last item that begins at or before a moment; -1 before the first.
function lastBefore(items, startOf, moment) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (startOf(items[middle]) <= moment) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

class Listening {
  // box: the player's element; log: the transcript's, or null.
  constructor(box, log) {
    this.box = box;
    this.log = log;
    this.audio = box.querySelector("audio");
    this.turns = [];
    this.places = new Map();
    this.audio.addEventListener("error", () => this.tell(unplayable()));
  }

  part(name) {
    return this.box.querySelector(`[data-part="${name}"]`);
  }

  tell(words) {
    this.part("problem").textContent = words;
    this.part("problem").hidden = !words;
  }

  async draw() {
    // Only a page with a picture to draw loads what draws it, and only once it is painted.
    await painted();
    const [answer, { Waveform }] = await Promise.all([
      fetch(this.box.dataset.waveform, { headers: { Accept: "application/json" } }),
      import("./waveform.js"),
    ]);
    if (!answer.ok) throw new Error(`waveform ${answer.status}`);
    this.picture = await answer.json();
    this.turns = [...this.picture.turns].sort((one, other) => one.begin_ms - other.begin_ms);
    this.places = new Map(this.turns.map((turn) => [turn.key, turn]));
    this.waveform = new Waveform(this.part("wave"), this.audio, this.picture);
    this.part("names").replaceChildren(
      ...this.picture.channels.map((channel) => element("span", `wave-name ${channel.speaker || "both"}`, channel.name)),
    );
    this.part("length").textContent = clock(this.picture.duration_ms / 1000);
    this.part("wave").setAttribute("aria-valuemax", String(Math.round(this.picture.duration_ms / 1000)));
    this.listenToPlayer();
    this.listenToPeople();
    this.openTranscript();
    this.show();
  }

  listenToPlayer() {
    for (const name of ["play", "pause", "ended"]) this.audio.addEventListener(name, () => this.showState());
    this.audio.addEventListener("seeking", () => this.show());
    this.audio.addEventListener("play", () => {
      this.tell("");
      const follow = () => {
        this.show();
        if (!this.audio.paused) requestAnimationFrame(follow);
      };
      follow();
    });
    this.audio.addEventListener("timeupdate", () => this.show());
    this.waveform.surfer.on("interaction", () => this.audio.paused && this.play());
    this.waveform.surfer.on("ready", () => this.show());
  }

  listenToPeople() {
    this.box.addEventListener("click", (event) => this.deed(event.target.closest("[data-do]")?.dataset.do));
    this.box.querySelector('[data-do="speed"]').addEventListener("change", (event) => {
      this.audio.playbackRate = Number(event.target.value);
    });
    this.part("wave").addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = event.shiftKey ? FINE_STEP_S : STEP_S;
    const deeds = {
      " ": () => this.deed("play"),
      k: () => this.deed("play"),
      ArrowLeft: () => this.seek(this.audio.currentTime - step),
      ArrowRight: () => this.seek(this.audio.currentTime + step),
      Home: () => this.seek(0),
      End: () => this.seek(this.picture.duration_ms / 1000),
      PageUp: () => this.deed("previous"),
      PageDown: () => this.deed("next"),
      "+": () => this.deed("closer"),
      "=": () => this.deed("closer"),
      "-": () => this.deed("wider"),
    };
    if (!deeds[event.key]) return;
    event.preventDefault();
    deeds[event.key]();
  }

  deed(name) {
    if (name === "play") this.audio.paused ? this.play() : this.audio.pause();
    else if (name === "closer") this.waveform.zoom(1.6);
    else if (name === "wider") this.waveform.zoom(1 / 1.6);
    else if (name === "next" || name === "previous") this.step(name === "next" ? 1 : -1);
  }

  // From turn to turn; back within the first second of one goes to the one before.
  step(by) {
    const now = this.audio.currentTime * 1000;
    const at = lastBefore(this.turns, (turn) => turn.begin_ms, by > 0 ? now + 1 : now - 1000);
    const turn = this.turns[by > 0 ? at + 1 : Math.max(at, 0)];
    if (!turn) return;
    this.seek(turn.begin_ms / 1000);
    this.node(turn.key)?.scrollIntoView({ block: "nearest" });
  }

  seek(seconds) {
    const last = this.picture ? this.picture.duration_ms / 1000 : Number.POSITIVE_INFINITY;
    this.audio.currentTime = Math.min(Math.max(seconds, 0), last);
    this.show();
  }

  play() {
    this.audio.play().catch((error) => {
      // An interruption by another click is nothing to tell.
      if (error.name !== "AbortError") this.tell(unplayable());
    });
  }

  playFrom(milliseconds) {
    this.seek(milliseconds / 1000);
    this.play();
  }

  showState() {
    const button = this.box.querySelector('[data-do="play"]');
    const icon = button.querySelector("use");
    const name = this.audio.paused ? "play" : "pause";
    icon.setAttribute("href", icon.getAttribute("href").replace(/#.*/, `#${name}`));
    button.querySelector("span").textContent = this.audio.paused ? say("Play") : say("Pause");
    this.show();
  }

  show() {
    if (!this.picture) return;
    const seconds = this.audio.currentTime;
    const words = clock(seconds);
    if (this.part("position").textContent !== words) {
      this.part("position").textContent = words;
      this.part("wave").setAttribute("aria-valuenow", String(Math.round(seconds)));
      this.part("wave").setAttribute("aria-valuetext", say("{position} of {length}", { position: words, length: this.part("length").textContent }));
    }
    const turn = this.turnAt(seconds * 1000);
    this.waveform.mark(turn?.key ?? "");
    if (this.marked !== turn?.key) {
      this.node(this.marked)?.classList.remove("now");
      this.node(turn?.key)?.classList.add("now");
      this.marked = turn?.key;
    }
    this.markWord(turn, seconds * 1000);
  }

  turnAt(moment) {
    const turn = this.turns[lastBefore(this.turns, (one) => one.begin_ms, moment)];
    return turn && moment <= Math.max(turn.end_ms, turn.begin_ms + WORD_MS) && (moment > 0 || !this.audio.paused) ? turn : null;
  }

  // --- the transcript -----------------------------------------------------------------------------------------------------

  node(key) {
    return key ? this.log?.querySelector(`[data-turn="${CSS.escape(key)}"]`) : null;
  }

  openTranscript() {
    if (!this.log) return;
    this.log.classList.add("heard");
    this.buttons();
    // Turns are drawn anew when the call's last news arrive.
    new MutationObserver(() => this.buttons()).observe(this.log, { childList: true });
    this.log.addEventListener("click", (event) => this.hear(event));
  }

  // The time beside each turn becomes its button: what the keyboard reaches.
  buttons() {
    for (const node of this.log.querySelectorAll("[data-turn]:not([data-hears])")) {
      const turn = this.places.get(node.dataset.turn);
      const time = node.querySelector(".turn-who time");
      if (!turn || !time) continue;
      node.dataset.hears = "";
      const button = element("button", "turn-play num", time.textContent);
      button.type = "button";
      button.setAttribute("aria-label", say("Play this turn, {time}", { time: time.textContent }));
      button.addEventListener("click", () => this.playFrom(turn.begin_ms));
      time.replaceWith(button);
    }
  }

  hear(event) {
    const text = event.target.closest(".turn-text");
    const turn = text && this.places.get(text.closest("[data-turn]")?.dataset.turn);
    // What is being marked to be copied is not to be played, and what nobody heard cannot be.
    if (!turn || event.target.closest("s") || !getSelection().isCollapsed) return;
    const caret = caretAt(event.clientX, event.clientY);
    const before = caret ? lettersBefore(text, caret.node) : -1;
    const at = before >= 0 ? lastBefore(turn.words, (word) => word[0], before + caret.offset) : -1;
    this.playFrom(at >= 0 ? turn.words[at][2] : turn.begin_ms);
  }

  markWord(turn, moment) {
    if (!("highlights" in CSS)) return;
    const at = turn ? lastBefore(turn.words, (word) => word[2], moment) : -1;
    const text = at >= 0 ? this.node(turn.key)?.querySelector(".turn-text") : null;
    const range = text && wordRange(text, turn.words[at]);
    if (!range) {
      CSS.highlights.delete("word-now");
      return;
    }
    CSS.highlights.set("word-now", new Highlight(range));
  }
}

// Starts the player that is on the page now, once.
export function listen(root) {
  const box = root.querySelector('[data-part="listen"]:not([data-started])');
  if (!box) return;
  box.dataset.started = "";
  const listening = new Listening(box, root.querySelector('[data-part="log"]'));
  // A line of the recording's own transcript starts it there.
  root.addEventListener("click", (event) => {
    const line = event.target.closest("[data-seek-ms]");
    if (line && box.isConnected) listening.playFrom(Number(line.dataset.seekMs));
  });
  // Without a picture the browser's own controls stay.
  if (!box.dataset.waveform) return;
  listening.draw().catch(() => {
    delete box.dataset.waveform;
    listening.tell(say("The waveform did not arrive. The recording plays without it."));
  });
}
