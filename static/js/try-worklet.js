// The two ends of a telephone line in a browser: the microphone in frames of 100 ms at 8 kHz, and what the agent says in an exact queue,
// so that a mark is told when the audio before it has been played, and never because it has arrived.

const LINE_HZ = 8000;
const FRAME = 800; // samples: 100 ms, 1600 bytes, a multiple of 320
const REACH = 16; // of the filter to each side, in samples of the line
const STEPS = 128; // of the filter's table for each sample
const PASS = 0.9; // of the line's 4 kHz
const KEPT = 1 << 18; // samples of the line: half a minute
const TELL_EVERY = LINE_HZ / 10;

// A low-pass for both ways, as a table: a windowed sinc in samples of the line.
const FILTER = Float32Array.from({ length: 2 * REACH * STEPS + 1 }, (_, index) => {
  const at = index / STEPS - REACH;
  const angle = Math.PI * PASS * at;
  const window = Math.cos((Math.PI * at) / (2 * REACH)) ** 2;
  return PASS * (at === 0 ? 1 : Math.sin(angle) / angle) * window;
});
const weight = (distance) => FILTER[Math.round((distance + REACH) * STEPS)] ?? 0;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.ratio = sampleRate / LINE_HZ;
    this.heard = new Float32Array(1 << 14); // a ring
    this.written = 0;
    this.due = 0; // where the line's next sample lies, in samples of the microphone
    this.frame = new Int16Array(FRAME);
    this.filled = 0;
    this.level = 0;
    this.muted = false;
    this.port.onmessage = ({ data }) => (this.muted = data.muted);
  }

  process([[input]]) {
    const mask = this.heard.length - 1;
    // A microphone that was pulled out gives nothing: the line goes on in silence, as a telephone's does.
    for (let index = 0; index < 128; index += 1) {
      this.heard[this.written & mask] = this.muted || !input ? 0 : input[index];
      this.written += 1;
    }
    const reach = REACH * this.ratio;
    while (this.due + reach < this.written) {
      let sample = 0;
      for (let at = Math.max(0, Math.ceil(this.due - reach)); at <= this.due + reach; at += 1) {
        sample += this.heard[at & mask] * weight((at - this.due) / this.ratio);
      }
      this.put(sample / this.ratio);
      this.due += this.ratio;
    }
    return true;
  }

  put(sample) {
    this.level = Math.max(this.level, Math.abs(sample));
    this.frame[this.filled] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
    this.filled += 1;
    if (this.filled < FRAME) return;
    const { buffer } = this.frame;
    this.port.postMessage({ pcm: buffer, level: Math.min(this.level, 1) }, [buffer]);
    this.frame = new Int16Array(FRAME);
    this.filled = 0;
    this.level = 0;
  }
}

class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.step = LINE_HZ / sampleRate;
    this.queue = new Float32Array(KEPT); // a ring
    this.written = 0;
    this.at = 0; // what is played now; never beyond `written`
    this.marks = []; // { name, at }, in their order
    this.level = 0;
    this.played = 0; // samples of the line, all told
    this.loudest = 0; // since the line began
    this.toldAt = 0;
    this.playing = false;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take({ pcm, mark, clear }) {
    if (pcm) {
      for (const sample of new Int16Array(pcm)) {
        this.queue[this.written % KEPT] = sample / 32768;
        this.written += 1;
      }
      this.at = Math.max(this.at, this.written - KEPT / 2); // somebody sent far too much at once
    } else if (clear) {
      this.written = Math.min(this.written, Math.ceil(this.at));
      this.marks = []; // what was to be told behind that audio never happened
      this.tell();
    } else if (mark !== undefined) {
      this.marks.push({ name: mark, at: this.written });
    }
  }

  process(_, [[output]]) {
    for (let index = 0; index < output.length; index += 1) {
      output[index] = 0;
      if (this.at >= this.written) continue;
      const before = this.at;
      output[index] = this.sample();
      this.at = Math.min(this.at + this.step, this.written);
      this.played += this.at - before;
      this.level = Math.max(this.level, Math.abs(output[index]));
    }
    while (this.marks.length && this.marks[0].at <= this.at) this.port.postMessage({ mark: this.marks.shift().name });
    if (this.played - this.toldAt >= TELL_EVERY || this.playing !== this.at < this.written) this.tell();
    return true;
  }

  sample() {
    let sample = 0;
    const first = Math.max(0, Math.ceil(this.at - REACH));
    const last = Math.min(this.written - 1, Math.floor(this.at + REACH));
    for (let at = first; at <= last; at += 1) sample += this.queue[at % KEPT] * weight(at - this.at);
    return sample;
  }

  tell() {
    this.toldAt = this.played;
    this.loudest = Math.max(this.loudest, this.level);
    this.playing = this.at < this.written;
    const level = this.playing ? Math.min(this.level, 1) : 0;
    this.port.postMessage({ level, played: Math.round(this.played), loudest: this.loudest, playing: this.playing });
    this.level = 0;
  }
}

registerProcessor("try-microphone", Microphone);
registerProcessor("try-player", Player);
