// A telephone line made of a browser: the microphone and the loudspeaker at one end, Exotel's media protocol at the other.

import { say } from "./words.js";

const ENDS = new URL("./try-worklet.js", import.meta.url);
const OPENS_WITHIN_MS = 15_000;
const PLAYS_OUT_MS = 1_500; // after the other side has closed
const MOST_WAITING_BYTES = 64_000; // on a network that stands still: late sound is worse than none
const FRAME_MS = 100;

const MICROPHONE_WORDS = {
  NotAllowedError: say("This page may not use the microphone. Allow it in the browser (the sign beside the address), then start again."),
  NotFoundError: say("There is no microphone. Plug one in, then start again."),
  NotReadableError: say("The microphone is in use by another program. Close that program, then start again."),
  OverconstrainedError: say("This microphone cannot be used for calls. Choose another one in the browser, then start again."),
};

export class LineProblem extends Error {}

// The microphone, with what a telephone does against its own loudspeaker. Throws a LineProblem in words for people.
export async function openMicrophone() {
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) {
    throw new LineProblem(say("This browser gives no microphone to this page. Open it over https in a current browser."));
  }
  const wishes = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: wishes, video: false });
  } catch (error) {
    throw new LineProblem(MICROPHONE_WORDS[error.name] ?? say("The microphone cannot be used ({name}).", { name: error.name }));
  }
}

const toBase64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;

export class Line {
  // stream: the microphone's. on: { connected(), level(mine), heard({ level, played, loudest, playing }), microphoneGone(), ended({ opened, clean }) }
  constructor(stream, on) {
    this.stream = stream;
    this.on = on;
    this.over = false;
    this.opened = false;
    this.sequence = 0;
    this.frames = 0;
    this.playing = false;
    this.waiting = false; // the other side has closed, and its last words are being played
    stream.getAudioTracks()[0]?.addEventListener("ended", () => this.over || this.on.microphoneGone());
  }

  // Must be called soon after a click: browsers let no page sound by itself.
  async prepare() {
    this.context = new AudioContext({ latencyHint: "interactive" });
    try {
      await this.context.audioWorklet.addModule(ENDS);
      await this.context.resume();
    } catch {
      throw new LineProblem(say("This browser cannot play live sound here. Open the page over https in a current browser."));
    }
    this.microphone = new AudioWorkletNode(this.context, "try-microphone", { outputChannelCount: [1] }); // silent: a node that leads nowhere may not run
    this.microphone.port.onmessage = ({ data }) => this.speak(data);
    this.player = new AudioWorkletNode(this.context, "try-player", { numberOfInputs: 0, outputChannelCount: [1] });
    this.player.port.onmessage = ({ data }) => this.played(data);
    this.player.connect(this.context.destination);
    this.context.createMediaStreamSource(this.stream).connect(this.microphone).connect(this.context.destination);
  }

  // callSid: what the token in the address was made for.
  open(address, callSid) {
    this.callSid = callSid;
    this.streamSid = crypto.randomUUID().replaceAll("-", "");
    const socket = new WebSocket(address);
    this.socket = socket;
    this.opening = setTimeout(() => this.end(false), OPENS_WITHIN_MS);
    socket.addEventListener("open", () => {
      clearTimeout(this.opening);
      if (this.over) return;
      this.opened = true;
      this.send({ event: "connected" });
      const start = {
        stream_sid: this.streamSid,
        call_sid: callSid,
        account_sid: "browser",
        from: "",
        to: "",
        media_format: { encoding: "base64", sample_rate: "8000", bit_rate: "128kbps" },
      };
      this.send({ event: "start", stream_sid: this.streamSid, start });
      this.on.connected();
    });
    socket.addEventListener("message", ({ data }) => this.hear(JSON.parse(data)));
    socket.addEventListener("close", (event) => this.playOut(event.code === 1000));
  }

  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.sequence += 1;
    this.socket.send(JSON.stringify({ ...message, sequence_number: String(this.sequence) }));
  }

  // --- from here to the agent --------------------------------------------------------------------------------------------

  speak({ pcm, level }) {
    if (this.over) return;
    this.on.level(level);
    if (!this.opened || this.socket.bufferedAmount > MOST_WAITING_BYTES) return;
    const media = { chunk: String(this.frames + 1), timestamp: String(this.frames * FRAME_MS), payload: toBase64(pcm) };
    this.frames += 1;
    this.send({ event: "media", stream_sid: this.streamSid, media });
  }

  mute(muted) {
    this.microphone?.port.postMessage({ muted });
  }

  press(digit) {
    this.send({ event: "dtmf", stream_sid: this.streamSid, dtmf: { digit, duration: "100" } });
  }

  // --- from the agent to here --------------------------------------------------------------------------------------------

  hear(message) {
    if (this.over) return;
    const { port } = this.player;
    if (message.event === "media") {
      const pcm = fromBase64(message.media.payload);
      port.postMessage({ pcm }, [pcm]);
    } else if (message.event === "mark") port.postMessage({ mark: message.mark.name });
    else if (message.event === "clear") port.postMessage({ clear: true });
  }

  played(told) {
    if (this.over) return;
    if (told.mark === undefined) {
      this.playing = told.playing;
      this.on.heard(told);
      if (this.waiting && !told.playing) this.end(true);
      return;
    }
    // The loudspeaker is behind the queue: a wireless headset by a quarter of a second.
    const behind_ms = ((this.context.outputLatency || 0) + this.context.baseLatency) * 1000;
    setTimeout(() => this.over || this.send({ event: "mark", stream_sid: this.streamSid, mark: { name: told.mark } }), behind_ms);
  }

  // --- the end -----------------------------------------------------------------------------------------------------------

  hangUp() {
    this.send({ event: "stop", stream_sid: this.streamSid, stop: { call_sid: this.callSid, account_sid: "browser", reason: "callended" } });
    this.end(true);
  }

  // The other side has closed; what it said last is heard to its end.
  playOut(clean) {
    if (this.over || this.waiting) return;
    if (!clean || !this.opened || !this.playing) return this.end(clean);
    this.waiting = true;
    this.last = setTimeout(() => this.end(true), PLAYS_OUT_MS);
    this.mute(true);
  }

  end(clean) {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.opening);
    clearTimeout(this.last);
    this.socket?.close(1000);
    for (const node of [this.microphone, this.player]) if (node) node.port.onmessage = null;
    for (const track of this.stream.getTracks()) track.stop();
    this.context?.close().catch(() => {});
    this.on.ended({ opened: this.opened, clean });
  }
}
