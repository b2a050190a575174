// The watched call on the live page: its head, its transcript, and what an operator can do to it (listen, whisper, hand over, hang up).

import { ask } from "./ask.js";
import { callerText, showLatency } from "./call-row.js";
import { setTimer } from "./clock.js";
import { element, setText } from "./element.js";
import { Listening } from "./live-sound.js";
import { Transcript } from "./transcript.js";
import { say } from "./words.js";

const page = document.getElementById("live");
const part = (name) => page.querySelector(`[data-part="${name}"]`);

export class Watched {
  constructor() {
    this.call = null;
    this.destinations = [];
    this.transcript = new Transcript({ log: part("log"), interim: part("interim"), scroller: part("scroller"), latest: part("latest") });
    this.handOver = document.getElementById("hand-over");
    if (part("listen")) {
      this.listening = new Listening((state) => this.showSound(state));
      part("listen").addEventListener("click", () => (this.listening.on ? this.listening.stop() : this.listening.start(this.call.listen_url)));
    }
    part("whisper").addEventListener("submit", (event) => this.whisper(event));
    part("hand-over").addEventListener("click", () => this.askWhom());
    this.handOver.addEventListener("close", () => this.giveAway());
    // htmx enables the button when its answer arrives, which may be after the socket has told that the hang-up is under way.
    part("hangup").addEventListener("htmx:afterRequest", () => this.call && this.show(this.call));
  }

  // Another call is watched from now on, or none.
  turnTo(call) {
    this.listening?.stop();
    if (this.handOver.open) this.handOver.close("no");
    this.call = call ?? null;
    this.destinations = [];
    this.transcript.reset();
    part("whisper").reset();
    if (call) this.show(call);
    this.hint();
  }

  show(call) {
    this.call = call;
    setText(part("watch-agent"), call.agent);
    setText(part("watch-number"), callerText(call));
    setText(part("watch-cost"), call.cost_words);
    showLatency(part("watch-latency"), call);
    part("watch-status").replaceChildren(element("span", `pill ${call.tone}`, call.status_words));
    setTimer(part("watch-timer"), call.live ? call.since : "", call.duration_words);
    part("watch-open").href = call.url;
    setText(part("watch-end"), call.live ? "" : call.end_words);
    const form = part("hangup");
    form.hidden = !call.live;
    const button = form.querySelector("button");
    // htmx read the form's own address once, when the page came; the button's it reads with each click.
    button.setAttribute("formaction", call.hangup_url);
    button.disabled = call.hangup_requested || form.classList.contains("htmx-request");
    setText(button.querySelector("span"), call.hangup_requested ? say("Hanging up") : say("Hang up"));
    part("whisper").hidden = !call.talks;
    if (part("listen")) part("listen").hidden = !call.talks;
    if (!call.talks) this.listening?.stop();
    this.showHandOver();
    if (!call.live) this.transcript.silence();
    this.hint();
  }

  showTalk({ turns, beside, destinations }) {
    this.transcript.replace(turns, beside);
    this.destinations = destinations;
    this.showHandOver();
    this.hint();
  }

  put(entry) {
    this.transcript.put(entry);
    this.hint();
  }

  say({ speaker, text, number }) {
    if (this.call?.live) this.transcript.say(speaker, text, number);
    this.hint();
  }

  hint() {
    const hint = part("hint");
    hint.hidden = !this.transcript.empty;
    const words = this.call?.live ? say("Nothing said yet. Words appear here as they are spoken.") : say("Nothing was said in this call.");
    setText(hint.querySelector("p"), this.call ? words : say("Pick a call to read along."));
  }

  // --- what an operator does ---------------------------------------------------------------------------------------------

  showSound({ on, words, caller, agent }) {
    part("listen").setAttribute("aria-pressed", String(on));
    setText(part("listen").querySelector("span"), on ? say("Stop listening") : say("Listen"));
    part("sound").hidden = !on;
    setText(part("sound-words"), words);
    part("level-caller").setAttribute("width", Math.round(Math.sqrt(caller) * 100));
    part("level-agent").setAttribute("width", Math.round(Math.sqrt(agent) * 100));
  }

  stopListening() {
    this.listening?.stop();
  }

  async whisper(event) {
    event.preventDefault();
    const form = part("whisper");
    const button = form.querySelector("button");
    button.disabled = true;
    const done = await ask(this.call.whisper_url, { text: form.elements.text.value });
    button.disabled = false;
    if (done) form.reset();
    form.elements.text.focus();
  }

  showHandOver() {
    part("hand-over").hidden = !this.call?.talks || this.destinations.length === 0;
  }

  askWhom() {
    const choices = this.handOver.querySelector('[data-part="destinations"]');
    choices.querySelectorAll("label").forEach((label) => label.remove());
    this.destinations.forEach(({ id, name }, index) => {
      const choice = element("label", "choice");
      const radio = element("input");
      Object.assign(radio, { type: "radio", name: "destination", value: String(id), checked: index === 0 });
      choice.append(radio, element("span", "", name));
      choices.append(choice);
    });
    this.handOver.returnValue = "no";
    this.handOver.showModal();
  }

  async giveAway() {
    const chosen = this.handOver.querySelector("input:checked");
    if (this.handOver.returnValue === "yes" && chosen && this.call) await ask(this.call.hand_over_url, { destination: chosen.value });
  }
}
