// Running timers. They tick on the browser's clock, corrected by what the server's clock said in its last message.

let skew_ms = 0;

export function learnServerTime(iso) {
  const server = Date.parse(iso);
  if (Number.isFinite(server)) skew_ms = server - Date.now();
}

export function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor((whole % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function tick() {
  const now = Date.now() + skew_ms;
  for (const timer of document.querySelectorAll("[data-since]")) {
    const since = Date.parse(timer.dataset.since);
    if (!Number.isFinite(since)) continue;
    const text = clockText((now - since) / 1000);
    if (timer.textContent !== text) timer.textContent = text;
  }
}

// since: ISO time, or "" for a timer that stands at `fixed`.
export function setTimer(timer, since, fixed) {
  if (since) timer.dataset.since = since;
  else {
    delete timer.dataset.since;
    timer.textContent = fixed;
  }
  tick();
}

export function startClock() {
  tick();
  setInterval(tick, 500);
}
