// Plays a call's two sides as they arrive: a little is kept in hand against a stuttering network, and whatever is more is skipped.

const BEGIN_MS = 160; // so much is in hand before it plays
const MOST_MS = 600; // more than that is skipped: late sound is not live
const NEAR = 0.85; // of a side goes to its own ear, the rest to the other
const FAR = 0.45;
const TELL_EVERY_S = 0.1;

class CallPlayer extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.rate_hz = processorOptions.rate_hz;
    this.step = this.rate_hz / sampleRate;
    this.packets = []; // Int16Array, caller and agent in turn
    this.frames = 0; // in hand
    this.at = 0; // within the first packet, in frames
    this.playing = false;
    this.levels = [0, 0];
    this.toldAt = 0;
    this.port.onmessage = ({ data }) => this.take(new Int16Array(data));
  }

  take(packet) {
    this.packets.push(packet);
    this.frames += packet.length / 2;
    if (this.inHand() <= MOST_MS) return;
    while (this.packets.length > 1 && this.inHand() > BEGIN_MS) {
      this.frames -= this.packets.shift().length / 2;
      this.at = 0;
    }
  }

  inHand() {
    return ((this.frames - this.at) / this.rate_hz) * 1000;
  }

  process(_, [output]) {
    const left = output[0];
    const right = output[1] ?? output[0];
    if (!this.playing && this.inHand() >= BEGIN_MS) this.playing = true;
    for (let index = 0; index < left.length; index += 1) {
      const sides = this.playing ? this.next() : null;
      if (!sides) {
        this.playing = false;
        left[index] = right[index] = 0;
        continue;
      }
      const [caller, agent] = sides;
      this.levels[0] = Math.max(this.levels[0], Math.abs(caller));
      this.levels[1] = Math.max(this.levels[1], Math.abs(agent));
      left[index] = caller * NEAR + agent * FAR;
      right[index] = agent * NEAR + caller * FAR;
    }
    this.tell();
    return true;
  }

  next() {
    const packet = this.packets[0];
    if (!packet) return null;
    const frame = Math.floor(this.at);
    const sides = [packet[2 * frame] / 32768, packet[2 * frame + 1] / 32768];
    this.at += this.step;
    if (this.at >= packet.length / 2) {
      this.at -= packet.length / 2;
      this.frames -= packet.length / 2;
      this.packets.shift();
    }
    return sides;
  }

  tell() {
    if (currentTime - this.toldAt < TELL_EVERY_S) return;
    this.toldAt = currentTime;
    this.port.postMessage({ caller: this.levels[0], agent: this.levels[1], inHand_ms: this.inHand(), playing: this.playing });
    this.levels = [0, 0];
  }
}

registerProcessor("call-player", CallPlayer);
