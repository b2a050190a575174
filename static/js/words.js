// What scripts say, in the page's language. A sentence's English is its key; voiceagents/script_words.py lists every one.

const given = document.getElementById("script-words");
const words = given ? JSON.parse(given.textContent) : {};
const plurals = new Intl.PluralRules(document.documentElement.lang || "en");

// facts fill the places in braces: say("{n} of {all}", { n: 1, all: 2 }).
export function say(english, facts = {}) {
  return (words[english] ?? english).replace(/\{(\w+)\}/g, (place, name) => String(facts[name] ?? place));
}

// One of two sentences, by how the page's language counts; {count} is filled in.
export function sayCount(one, many, count, facts = {}) {
  return say(plurals.select(count) === "one" ? one : many, { count, ...facts });
}
