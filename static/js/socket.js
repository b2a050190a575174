// A WebSocket that comes back: back-off with jitter, a heartbeat that finds half-dead connections, and a state people can see.
// Every heartbeat asks for a fresh snapshot, so whatever was lost on the way is repaired within seconds. While the server hears no updates
// itself (a snapshot says so) the heart beats faster: the page then lives on snapshots.

import { say } from "./words.js";

const FIRST_DELAY_MS = 400;
const LONGEST_DELAY_MS = 15_000;
const HEARTBEAT_MS = 15_000;
const HEARTBEAT_WITHOUT_UPDATES_MS = 3_000;
const ANSWER_MS = 8_000;
const LOGGED_OUT = 4401;
const NOT_YOURS = 4404;

export class LiveSocket {
  // onMessage(message), onState("connecting" | "live" | "slow" | "reconnecting" | "refused", reason)
  constructor(path, { onMessage, onState }) {
    this.url = new URL(path, location.href);
    this.url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.onMessage = onMessage;
    this.onState = onState;
    this.failures = 0;
    this.refused = false;
    this.updates = true;
    addEventListener("online", () => this.reconnectNow());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.beat());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", (event) => event.persisted && this.reconnectNow());
    this.onState("connecting", "");
    this.connect();
  }

  connect() {
    clearTimeout(this.retry);
    const socket = new WebSocket(this.url);
    this.socket = socket;
    // A connection that neither opens nor fails counts as failed.
    this.awaitAnswer();
    socket.addEventListener("message", (event) => {
      if (this.socket !== socket) return;
      clearTimeout(this.answer);
      this.failures = 0;
      const message = JSON.parse(event.data);
      if (typeof message.updates === "boolean" && message.updates !== this.updates) {
        this.updates = message.updates;
        this.keepBeating();
      }
      this.onState(this.updates ? "live" : "slow", "");
      this.onMessage(message);
    });
    socket.addEventListener("close", (event) => this.socket === socket && this.lost(event.code));
    this.keepBeating();
  }

  keepBeating() {
    clearInterval(this.heartbeat);
    this.heartbeat = setInterval(() => this.beat(), this.updates ? HEARTBEAT_MS : HEARTBEAT_WITHOUT_UPDATES_MS);
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  beat() {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.send({ kind: "sync" });
    this.awaitAnswer();
  }

  awaitAnswer() {
    clearTimeout(this.answer);
    this.answer = setTimeout(() => {
      const socket = this.socket;
      this.lost(0);
      socket?.close();
    }, ANSWER_MS);
  }

  lost(code) {
    this.socket = null;
    clearTimeout(this.answer);
    clearInterval(this.heartbeat);
    if (code === LOGGED_OUT) return this.refuse(say("You are logged out. Log in again to go on watching."));
    if (code === NOT_YOURS) return this.refuse(say("This call is not there any more, or belongs to somebody else."));
    this.onState("reconnecting", "");
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.failures);
    this.failures += 1;
    this.retry = setTimeout(() => this.connect(), longest * (0.5 + Math.random() / 2));
  }

  refuse(reason) {
    this.refused = true;
    this.onState("refused", reason);
  }

  reconnectNow() {
    if (this.refused || this.socket) return;
    this.failures = 0;
    this.onState("reconnecting", "");
    this.connect();
  }

  close() {
    const socket = this.socket;
    this.socket = null;
    clearTimeout(this.answer);
    clearTimeout(this.retry);
    clearInterval(this.heartbeat);
    socket?.close();
  }
}

const STATE_WORDS = {
  connecting: say("Connecting"),
  live: say("Connected"),
  slow: say("Connected, every few seconds"),
  reconnecting: say("Reconnecting"),
  refused: say("Stopped"),
};

// Shows a socket's state in an element like <span class="connection"><i class="dot"></i><span></span></span>.
export function showState(node, state, reason) {
  if (!node || (node.dataset.state === state && !reason)) return;
  node.dataset.state = state;
  node.querySelector("span").textContent = reason || STATE_WORDS[state];
}
