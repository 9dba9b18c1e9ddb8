// What the charts share: uPlot in the page's colours, a canvas with sharp pixels, and a tip at the pointer.

import { colour, el } from "./dom.js";

const redraws = new Set();
export const redrawAll = () => redraws.forEach((draw) => draw());

const FONT = "12px system-ui, sans-serif";

function axis(label, format) {
  return {
    stroke: () => colour("soft"), grid: { stroke: () => colour("grid"), width: 1 }, ticks: { stroke: () => colour("line"), width: 1, size: 4 },
    font: FONT, labelFont: FONT, label, labelSize: label ? 16 : 0, labelGap: 0, gap: 4, size: label ? 26 : 30, ...(format ? { values: (_, values) => values.map(format) } : {}),
  };
}

// A chart that is made anew when its series change, and else is given new data.
export function lines(box, { height = 260, x, y, log = false, xFormat, yFormat, onpick }) {
  let chart = null, shape = "", last = null, limits = null;
  const draw = () => {
    if (!last) return;
    const [data, series, bands] = last;
    const width = Math.max(200, box.clientWidth);
    const next = JSON.stringify([series.length, bands, width, log]);
    if (chart && next === shape) return void chart.setData(data);
    chart?.destroy();
    shape = next;
    const options = {
      width, height, series: [{ label: x }, ...series], bands,
      scales: { x: { time: false }, y: log ? { distr: 3 } : { range: (_, low, high) => limits ?? uPlot.rangeNum(low ?? 0, high ?? 1, 0.06, true) } },
      axes: [axis(x, xFormat), { ...axis(y, yFormat), size: 62 }],
      legend: { show: false }, cursor: { focus: { prox: 24 }, points: { size: 6 }, drag: { x: true, y: false } },
      hooks: onpick ? { ready: [(u) => u.over.addEventListener("click", () => onpick(u))] } : {},
    };
    chart = new uPlot(options, data, box);
  };
  new ResizeObserver(() => { if (chart && Math.abs(chart.width - box.clientWidth) > 2) { shape = ""; draw(); } }).observe(box);
  redraws.add(() => { shape = ""; draw(); });
  return {
    set(data, series, bands = []) { last = [data, series, bands]; draw(); },
    range(low_high) { limits = low_high; },
    scale(kind) { log = kind === "log"; shape = ""; draw(); },
    get chart() { return chart; },
  };
}

// A canvas as wide as its place. `paint` gets its context and size, in pixels of the page.
export function canvas(box, height, label, paint) {
  const node = el("canvas", { class: "own", role: "img", "aria-label": label });
  box.append(node);
  const draw = () => {
    const width = box.clientWidth, tall = typeof height === "function" ? height() : height, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    node.style.height = `${tall}px`;
    node.width = Math.round(width * ratio);
    node.height = Math.round(tall * ratio);
    const context = node.getContext("2d");
    context.scale(ratio, ratio);
    context.font = FONT;
    paint(context, width, tall);
  };
  new ResizeObserver(draw).observe(box);
  redraws.add(draw);
  return { node, draw };
}

export function tipOf(box) {
  const tip = el("div", { class: "tip", hidden: true });
  box.append(tip);
  return {
    show(text, x, y) {
      tip.textContent = text;
      tip.hidden = false;
      const left = x + 14 + tip.offsetWidth > box.clientWidth ? x - 14 - tip.offsetWidth : x + 14;
      tip.style.left = `${Math.max(0, left)}px`;
      tip.style.top = `${y + 14}px`;
    },
    hide() { tip.hidden = true; },
  };
}

export const placeIn = (event, node) => {
  const frame = node.getBoundingClientRect();
  return [event.clientX - frame.left, event.clientY - frame.top];
};

// Colours of values, from the worst to the best: each is also told by its lightness.
const RAMP = [[214, 220, 232], [142, 178, 228], [74, 128, 222], [30, 78, 190], [12, 38, 118]];
const DARK = [[58, 70, 90], [62, 98, 150], [78, 138, 222], [138, 186, 255], [226, 240, 255]];
export function shade(share, opacity = 1) {
  const ramp = document.documentElement.dataset.theme === "dark" ? DARK : RAMP;
  const at = Math.min(0.9999, Math.max(0, share)) * (ramp.length - 1), low = Math.floor(at), part = at - low;
  const [r, g, b] = ramp[low].map((channel, place) => Math.round(channel + (ramp[low + 1][place] - channel) * part));
  return `rgba(${r},${g},${b},${opacity})`;
}
