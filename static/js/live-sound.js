// Listens to one call: asks for a ticket, opens the media process' socket, plays what comes. Every packet is confirmed, because the other
// side sends no more than a second's worth that is not: a slow line misses words, it never falls behind.

import { ask, notice } from "./ask.js";
import { say } from "./words.js";

const PLAYER = new URL("./listen-worklet.js", import.meta.url);
const NUMBER_BYTES = 4;

export class Listening {
  // onChange({ on, words, caller, agent }): levels are 0..1
  constructor(onChange) {
    this.onChange = onChange;
    this.attempt = 0;
    addEventListener("pagehide", () => this.stop());
  }

  get on() {
    return Boolean(this.context);
  }

  // Must be called by a click: browsers let no page sound by itself.
  async start(url) {
    this.stop();
    const attempt = (this.attempt += 1);
    this.context = new AudioContext({ latencyHint: "interactive" });
    this.tell(say("Connecting"));
    const given = await ask(url);
    if (attempt !== this.attempt) return;
    if (!given) return this.stop();
    try {
      await this.context.audioWorklet.addModule(PLAYER);
    } catch {
      notice(say("This browser cannot play live sound here: the page must be opened over https."));
      return this.stop();
    }
    if (attempt === this.attempt) this.open(given.url, attempt);
  }

  open(url, attempt) {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    let opened = false;
    socket.addEventListener("message", ({ data }) => {
      if (attempt !== this.attempt) return;
      if (typeof data === "string") {
        opened = true;
        this.play(JSON.parse(data));
      } else {
        socket.send("1");
        const sound = data.slice(NUMBER_BYTES);
        this.player?.port.postMessage(sound, [sound]);
      }
    });
    socket.addEventListener("close", (event) => {
      if (attempt !== this.attempt) return;
      if (!opened) notice(say("This call cannot be heard: it has just ended, or its media process cannot be reached from this browser."));
      else if (event.code !== 1000) notice(say("The sound broke off. Press Listen to hear it again."));
      this.stop();
    });
  }

  play({ rate_hz }) {
    this.player = new AudioWorkletNode(this.context, "call-player", { numberOfInputs: 0, outputChannelCount: [2], processorOptions: { rate_hz } });
    this.player.port.onmessage = ({ data }) => this.hear(data);
    this.player.connect(this.context.destination);
    this.context.resume();
    this.tell(say("Listening"));
  }

  hear({ caller, agent, inHand_ms, playing }) {
    const behind_ms = 100 + inHand_ms + (this.context.baseLatency + (this.context.outputLatency || 0)) * 1000;
    const words = playing ? say("Listening, {seconds} s behind", { seconds: Math.max(0.1, behind_ms / 1000).toFixed(1) }) : say("Listening, waiting for sound");
    this.tell(words, caller, agent);
  }

  stop() {
    this.attempt += 1;
    this.socket?.close();
    if (this.player) this.player.port.onmessage = null; // what it has still to tell is about a call that nobody hears any more
    this.player?.disconnect();
    this.context?.close().catch(() => {});
    this.socket = this.player = this.context = null;
    this.tell("");
  }

  tell(words, caller = 0, agent = 0) {
    this.onChange({ on: this.on, words, caller, agent });
  }
}
