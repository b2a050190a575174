// Draws what the tables of analytics say. A click on a day or an hour opens the calls behind it; the tables have the same links.

import { element, loadScript, painted, setText } from "./element.js";
import { say } from "./words.js";

const told = document.getElementById("series");
const series = told ? JSON.parse(told.textContent) : null;
const places = [...document.querySelectorAll(".chart")];
let drawn = [];

// Canvases know no CSS: the legends' swatches say which colours the theme has now.
const colour = (name) => getComputedStyle(document.querySelector(`.swatch.${name}`)).backgroundColor;
const ms = (value) => (value === null || value === undefined ? "–" : value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(2)} s`);
const count = (value) => value.toLocaleString("en");
const bars = (name, value) => ({
  label: name, stroke: colour(value), fill: colour(value), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.72, 44], radius: 0.12 }),
});
const line = (value, more = {}) => ({ stroke: colour(value), width: 1.6, points: { show: series.labels.length < 40, size: 5, fill: colour(value) }, spanGaps: true, ...more });

const CHARTS = {
  calls: () => ({
    data: [series.calls, series.answered, ...(series.before ? [series.before] : [])],
    lines: [bars("calls", "others"), bars("answered", "answered"), ...(series.before ? [line("before", { dash: [4, 4], points: { show: false } })] : [])],
    axis: count,
    room: 48,
    steps: [1, 2, 5].flatMap((step) => [1, 10, 100, 1000, 10_000, 100_000].map((ten) => step * ten)).sort((one, other) => one - other),
    words: (at) => {
      const facts = { calls: count(series.calls[at]), answered: count(series.answered[at]) };
      if (!series.before || series.before[at] === null) return say("{calls} calls, {answered} answered", facts);
      return say("{calls} calls, {answered} answered, {before} before", { ...facts, before: count(series.before[at]) });
    },
  }),
  latency: () => ({
    data: [series.p50, series.p95, series.p99],
    lines: [line("p50"), line("p95"), line("p99")],
    axis: ms,
    room: 62,
    steps: [1, 2, 5, 10, 20, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000],
    words: (at) => `p50 ${ms(series.p50[at])}, p95 ${ms(series.p95[at])}, p99 ${ms(series.p99[at])}`,
  }),
};

function draw(place) {
  const chart = CHARTS[place.dataset.chart]();
  const style = getComputedStyle(place);
  const tip = element("p", "chart-tip");
  tip.hidden = true;
  const axis = { stroke: style.color, font: `12px ${getComputedStyle(document.body).fontFamily}`, ticks: { show: false } };
  const most = Math.max(1, ...chart.data.flat().filter((value) => value !== null));
  const plot = new uPlot(
    {
      ...size(place),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: { x: { time: false, range: () => [-0.5, series.labels.length - 0.5] }, y: { range: () => [0, most * 1.08] } },
      axes: [
        { ...axis, grid: { show: false }, size: 32, space: 64, incrs: [1, 2, 3, 4, 6, 7, 14, 28, 56, 112], values: (_plot, at) => at.map((one) => series.labels[one] ?? "") },
        { ...axis, grid: { stroke: style.borderTopColor, width: 1 }, size: chart.room, incrs: chart.steps, values: (_plot, at) => at.map(chart.axis) },
      ],
      series: [{}, ...chart.lines],
      hooks: {
        setCursor: [
          (plot) => {
            const at = plot.cursor.idx;
            tip.hidden = at === null || at === undefined || series.labels[at] === undefined;
            if (!tip.hidden) setText(tip, `${series.labels[at]}: ${chart.words(at)}`);
          },
        ],
      },
    },
    [series.labels.map((_label, at) => at), ...chart.data],
    place,
  );
  place.append(tip);
  plot.over.addEventListener("click", () => {
    const link = series.links[plot.cursor.idx];
    if (link) location.assign(link);
  });
  return { place, plot, tip };
}

function size(place) {
  const style = getComputedStyle(place);
  const width = place.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  return { width: Math.max(Math.floor(width), 120), height: Math.max(place.clientHeight - Math.ceil(parseFloat(style.paddingTop)), 80) };
}

function drawAll() {
  for (const { plot, tip } of drawn) {
    plot.destroy();
    tip.remove();
  }
  drawn = places.map(draw);
}

if (series && places.length) {
  await painted();
  await loadScript(places[0].dataset.plot);
  drawAll();
  new ResizeObserver(() => drawn.forEach(({ place, plot }) => plot.setSize(size(place)))).observe(places[0]);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}
