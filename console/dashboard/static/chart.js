// Bar charts by uPlot, in the colours of the style sheet. A chart is a picture with a description; the numbers are in the
// table that stands behind each of them.

import { el, put, table } from "./elements.js";

const HEIGHT = 220;
const BAR_HEIGHT = 28;
const AXIS_HEIGHT = 40;
const NAME_LENGTH_MAX = 22;
const dark = matchMedia("(prefers-color-scheme: dark)");

// A chart of bars: standing ones for `{label, value, hint}` in order, lying ones if `lying`, with names beside them.
export function barChart({ lying = false, unit, height = HEIGHT }) {
  const picture = el("div", { class: "chart", role: "img" });
  const hint = el("p", { class: "chart-hint", "aria-hidden": "true" });
  const node = el("div", { class: "chart-frame" }, picture, hint);
  let bars = [];
  let plot = null;

  const draw = () => {
    plot?.destroy();
    plot = null;
    hint.textContent = "";
    const width = picture.clientWidth;
    if (width === 0 || bars.length === 0) return;
    const show = (index) => {
      hint.textContent = index === null || index === undefined ? "" : bars[index].hint;
    };
    const options = lying ? lyingOptions(bars, width) : standingOptions(bars, width, height);
    const data = [bars.map((_, index) => index), bars.map((bar) => bar.value)];
    plot = new uPlot({ ...options, ...common(unit, show) }, data, picture);
  };
  // A width that changes, or is known only now that the page shows the chart.
  let drawnWidth = 0;
  new ResizeObserver(() => {
    if (picture.clientWidth === drawnWidth) return;
    drawnWidth = picture.clientWidth;
    draw();
  }).observe(picture);
  dark.addEventListener("change", draw);

  return {
    node,
    show(newBars, description) {
      bars = newBars;
      picture.setAttribute("aria-label", description);
      draw();
    },
  };
}

// The same numbers as a table, folded away.
export function tableBehind(caption, columns) {
  const body = el("div");
  const node = el("details", { class: "behind" }, el("summary", {}, caption), body);
  return { node, show: (rows) => put(body, table(caption, columns, rows)) };
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function common(unit, show) {
  const [bar, loss] = [colour("--bar"), colour("--bar-below")];
  const barColour = { unit: 3, values: (plot, series) => plot.data[series].map((value) => (value < 0 ? loss : bar)) };
  const paths = uPlot.paths.bars({ size: [0.68, 44], radius: 0.18, disp: { fill: barColour, stroke: barColour } });
  return {
    legend: { show: false },
    cursor: { x: false, y: false, drag: { setScale: false, x: false, y: false }, points: { show: false } },
    series: [{}, { label: unit, paths, fill: bar, stroke: bar, width: 0, points: { show: false } }],
    hooks: { setCursor: [(plot) => show(plot.cursor.idx)] },
  };
}

function axis(more) {
  const grid = { stroke: colour("--grid"), width: 1 };
  return {
    stroke: colour("--muted"),
    font: `12px ${colour("--font")}`,
    grid,
    ticks: { show: false },
    border: { show: false },
    ...more,
  };
}

// Room above 0 and, where something was given back, below it.
function valueRange(plot, least, most) {
  const top = Math.max(0, most ?? 0);
  const bottom = Math.min(0, least ?? 0);
  return [bottom * 1.1, top === 0 && bottom === 0 ? 1 : top * 1.1];
}

const values = (plot, splits) => splits.map((value) => value.toLocaleString("en"));

function standingOptions(bars, width, height) {
  const every = Math.ceil(bars.length / Math.max(4, Math.floor(width / 44)));
  const splits = () => bars.map((_, index) => index).filter((index) => index % every === 0);
  const labels = (plot, indexes) => indexes.map((index) => bars[index].label);
  return {
    width,
    height,
    padding: [12, 4, 0, 0],
    scales: { x: { time: false, range: () => [-0.5, bars.length - 0.5] }, y: { range: valueRange } },
    axes: [axis({ splits, values: labels, grid: { show: false }, size: 28, gap: 6 }), axis({ values, size: 54 })],
  };
}

function lyingOptions(bars, width) {
  const splits = () => bars.map((_, index) => index);
  const limit = Math.max(8, Math.min(NAME_LENGTH_MAX, Math.floor(width / 22)));
  const names = () => bars.map(({ label }) => shortened(label, limit));
  return {
    width,
    height: bars.length * BAR_HEIGHT + AXIS_HEIGHT,
    padding: [4, 16, 0, 0],
    scales: {
      x: { time: false, ori: 1, dir: -1, range: () => [-0.5, bars.length - 0.5] },
      y: { ori: 0, dir: 1, range: valueRange },
    },
    axes: [
      axis({ side: 3, splits, values: names, grid: { show: false }, size: 24 + limit * 7, gap: 8 }),
      axis({ side: 2, values, size: 28, gap: 6, space: 70 }),
    ],
  };
}

function shortened(name, limit) {
  const characters = [...name];
  return characters.length > limit ? `${characters.slice(0, limit - 1).join("")}…` : name;
}
