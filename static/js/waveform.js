// Draws a recording from peaks that a worker has computed, with the turns laid on it. wavesurfer brings a style element along, which the
// content security policy refuses; so it is built outside the document, and its rules are handed to its shadow root as a sheet instead.

import Regions from "../vendor/wavesurfer/regions.esm.js";
import WaveSurfer from "../vendor/wavesurfer/wavesurfer.esm.js";

const ROW_PX = { 1: 88, 2: 56 };
const LEAST_PX_PER_S = 1;
const MOST_PX_PER_S = 200;

// One byte for each stretch, 255 is full scale.
function decoded(base64) {
  const bytes = atob(base64);
  return Float32Array.from(bytes, (letter) => letter.charCodeAt(0) / 255);
}

function colour(name) {
  // light-dark() is resolved only where a property is computed: a probe element has one.
  const probe = document.createElement("i");
  probe.className = `wave-${name}`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const row = (speaker, height) => ({
  height,
  waveColor: colour(speaker || "both"),
  progressColor: colour(`${speaker || "both"}-played`),
});

export class Waveform {
  // host: an empty element; audio: what plays; picture: what waveform.json answers.
  constructor(host, audio, picture) {
    this.picture = picture;
    this.pxPerS = 0;
    this.rows = picture.channels.map((channel) => channel.speaker);
    const outside = document.createElement("div");
    outside.className = "wave-inside";
    this.surfer = WaveSurfer.create({
      container: outside,
      media: audio,
      peaks: picture.channels.map((channel) => decoded(channel.peaks)),
      duration: picture.duration_ms / 1000,
      normalize: true,
      barWidth: 2,
      barGap: 1,
      barRadius: 1,
      barMinHeight: 1,
      cursorWidth: 2,
      hideScrollbar: false,
      ...this.looks(),
    });
    this.regions = this.surfer.registerPlugin(Regions.create());
    const shadow = outside.firstElementChild.shadowRoot;
    const style = shadow.querySelector("style");
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style.textContent);
    shadow.adoptedStyleSheets = [sheet];
    style.remove();
    host.append(outside);
    this.surfer.on("ready", () => this.layTurns());
    this.repaint = () => this.surfer.setOptions(this.looks());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.repaint);
    new MutationObserver(this.repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  looks() {
    const height = ROW_PX[this.rows.length] ?? ROW_PX[2];
    const [first] = this.rows;
    return {
      cursorColor: colour("cursor"),
      ...row(first, height),
      ...(this.rows.length > 1 ? { splitChannels: this.rows.map((speaker) => row(speaker, height)) } : {}),
    };
  }

  layTurns() {
    this.regions.clearRegions();
    for (const turn of this.picture.turns) {
      const channel = this.rows.indexOf(turn.speaker);
      this.regions.addRegion({
        id: turn.key,
        start: turn.begin_ms / 1000,
        end: Math.max(turn.end_ms, turn.begin_ms + 1) / 1000,
        drag: false,
        resize: false,
        color: "transparent",
        ...(this.rows.length > 1 && channel >= 0 ? { channelIdx: channel } : {}),
      });
    }
  }

  // The turn that is being heard, by its key; "" for none.
  mark(key) {
    for (const region of this.regions.getRegions()) {
      region.element?.classList.toggle("now", region.id === key);
      const names = `region ${region.id.split("-")[0]}${region.id === key ? " now" : ""}`;
      if (region.element && region.element.getAttribute("part") !== names) region.element.setAttribute("part", names);
    }
  }

  zoom(factor) {
    const fitting = this.surfer.getWidth() / (this.picture.duration_ms / 1000);
    const wanted = Math.min(Math.max(this.pxPerS || fitting, LEAST_PX_PER_S) * factor, MOST_PX_PER_S);
    this.pxPerS = wanted <= fitting ? 0 : wanted;
    this.surfer.zoom(this.pxPerS);
  }
}
