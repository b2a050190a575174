// One row of the live page's list: a call in progress, who speaks in it now, and what was said last.

import { element, setText } from "./element.js";
import { setTimer } from "./clock.js";
import { say } from "./words.js";

const WHO = { agent: say("Agent"), caller: say("Caller") };
const SPEAKS = { agent: say("Agent speaks"), caller: say("Caller speaks") };

export function callerText(call) {
  if (call.is_test) return say("Test from a browser");
  return `${call.direction === "inbound" ? say("Inbound") : say("Outbound")} · ${call.number}`;
}

export class CallRow {
  constructor(onClick) {
    this.node = element("button", "call-row");
    this.node.type = "button";
    this.agent = element("span", "call-agent");
    this.timer = element("time", "call-timer");
    this.number = element("span", "call-number");
    this.status = element("span", "call-status");
    this.words = element("span", "call-words");
    this.cost = element("span", "call-cost");
    this.latency = element("span", "call-latency");
    this.node.append(this.agent, this.timer, this.number, this.status, this.words, this.cost, this.latency);
    this.node.addEventListener("click", onClick);
  }

  show(call) {
    setText(this.agent, call.agent);
    setText(this.number, callerText(call));
    this.status.replaceChildren(element("span", `pill ${call.tone}`, call.status_words));
    setTimer(this.timer, call.live ? call.since : "", call.duration_words);
    this.say(call.last);
    setText(this.cost, call.cost_words);
    showLatency(this.latency, call);
    this.node.classList.toggle("over", !call.live);
  }

  // last: { speaker, text, speaking }, or nothing.
  say(last) {
    this.words.replaceChildren();
    if (!last?.text) return;
    const who = last.speaking ? element("b", "speaks", SPEAKS[last.speaker]) : element("b", "", WHO[last.speaker]);
    this.words.append(who, " ", last.text);
  }
}

export function showLatency(node, call) {
  node.replaceChildren();
  if (!call.latency_words) return;
  const [before, after] = say("answered in {latency}").split("{latency}");
  node.append(before, element("b", `tone-${call.latency_tone}`, call.latency_words), after);
}
