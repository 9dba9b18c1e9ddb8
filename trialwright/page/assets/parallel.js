// Parallel coordinates on a canvas: a line for each trial; a brush on an axis keeps the trials in its range.

import { colour, el, number } from "./dom.js";
import { canvas, placeIn, shade } from "./plot.js";

const TOP = 34, BOTTOM = 22, SIDE = 56, TALL = 330;

// An axis: where a value is on it, from 0 to 1, and which value is there.
export function axisOf({ name, numeric, categories, log }, values) {
  const place = new Map(categories.map((category, index) => [category, index]));
  const there = values.filter((value) => value !== null && value !== undefined);
  if (!numeric) {
    const span = Math.max(1, categories.length - 1);
    return { name, numeric, categories, share: (value) => (value === null ? null : categories.length < 2 ? 0.5 : place.get(String(value)) / span), at: (share) => categories[Math.round(share * span)], ticks: categories.map(String) };
  }
  const scale = log && there.every((value) => value > 0) ? Math.log10 : (value) => value, back = scale === Math.log10 ? (value) => 10 ** value : (value) => value;
  let low = Infinity, high = -Infinity;
  for (const value of there) { low = Math.min(low, scale(value)); high = Math.max(high, scale(value)); }
  if (!(low < high)) { low -= 0.5; high += 0.5; }
  return { name, numeric, categories, log: scale === Math.log10, low, high, share: (value) => (value === null || typeof value !== "number" ? null : (scale(value) - low) / (high - low)), at: (share) => back(low + share * (high - low)), ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => number(back(low + share * (high - low)), 3)) };
}

// Values of which few are much worse than all others: the axis ends where most are.
export function clipped(values, mode) {
  const sorted = values.filter((value) => typeof value === "number").sort((a, b) => a - b);
  if (!sorted.length) return values;
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  const [low, high] = [at(0.05), at(0.95)], far = 3 * Math.max(high - low, 1e-12);
  if (mode === "max") return sorted[0] < low - far ? values.map((value) => (typeof value === "number" ? Math.max(value, low) : value)) : values;
  return sorted.at(-1) > high + far ? values.map((value) => (typeof value === "number" ? Math.min(value, high) : value)) : values;
}

export function parallel(open, chosen) {
  const box = el("div", { class: "chart" }), words = el("p", { class: "soft", role: "status" });
  const clear = el("button", { type: "button", hidden: true, onclick: () => { brushes.clear(); changed(); } }, "Clear");
  const picture = canvas(box, TALL, "Parallel coordinates: a line for each trial, through its parameters and its value. Drag along an axis to keep a range.", paint);
  let axes = [], rows = [], given = null, mode = "min", drag = null;
  const brushes = new Map();

  function set(points, goal) {
    given = points; mode = goal;
    const value = { name: points.metric, numeric: true, categories: [], log: false };
    axes = [...points.parameters.map((parameter, place) => axisOf(parameter, points.rows.map((row) => row[place + 3]))), axisOf(value, clipped(points.rows.map((row) => row[2]), goal))];
    const last = axes.length - 1;
    rows = points.rows.map((row) => ({ id: row[0], raw: row, at: axes.map((axis, place) => { const share = axis.share(place === last ? row[2] : row[place + 3]); return share === null || share === undefined ? null : Math.min(1, Math.max(0, share)); }) }));
    rows.sort((a, b) => goodness(a) - goodness(b));
    tell();
    picture.draw();
  }
  const goodness = (row) => (mode === "max" ? row.at.at(-1) : 1 - row.at.at(-1));
  const kept = (row) => [...brushes].every(([place, [low, high]]) => row.at[place] !== null && row.at[place] >= low && row.at[place] <= high);
  const x = (place, width) => SIDE + (place * (width - 2 * SIDE)) / Math.max(1, axes.length - 1);
  const y = (share) => TALL - BOTTOM - share * (TALL - TOP - BOTTOM);

  function paint(context, width) {
    if (!given) return;
    const strong = brushes.size > 0;
    for (const row of rows) {
      const is = kept(row);
      context.strokeStyle = strong && !is ? colour("grid") : shade(goodness(row), strong ? 0.75 : 0.12 + 0.5 * goodness(row) ** 3);
      context.lineWidth = strong && is ? 1.3 : 1;
      context.beginPath();
      let pen = false;
      row.at.forEach((share, place) => {
        if (share === null) { pen = false; return; }
        if (pen) context.lineTo(x(place, width), y(share)); else context.moveTo(x(place, width), y(share));
        pen = true;
      });
      context.stroke();
    }
    context.lineWidth = 1;
    axes.forEach((axis, place) => axisAt(context, axis, place, width));
  }
  function axisAt(context, axis, place, width) {
    const at = x(place, width), room = Math.max(60, (width - 2 * SIDE) / Math.max(1, axes.length - 1) - 8);
    context.strokeStyle = colour("faint");
    context.beginPath(); context.moveTo(at, y(0)); context.lineTo(at, y(1)); context.stroke();
    context.fillStyle = colour("text");
    context.textAlign = "center"; context.textBaseline = "alphabetic";
    context.font = `${place === axes.length - 1 ? "600 " : ""}12px system-ui, sans-serif`;
    context.fillText(cut(context, axis.name ?? "", room), Math.min(width - SIDE / 2, Math.max(SIDE / 2, at)), 14);
    context.font = "11px system-ui, sans-serif";
    axis.ticks.forEach((tick, index) => {
      const level = axis.ticks.length < 2 ? 0.5 : index / (axis.ticks.length - 1), label = cut(context, tick, 70), wide = context.measureText(label).width;
      context.fillStyle = colour("card"); context.globalAlpha = 0.75;
      context.fillRect(at - wide / 2 - 2, y(level) - 7, wide + 4, 14);
      context.globalAlpha = 1; context.fillStyle = colour("soft");
      context.fillText(label, at, y(level) + 4);
    });
    const brush = brushes.get(place);
    if (!brush) return;
    context.fillStyle = colour("accent"); context.globalAlpha = 0.25;
    context.fillRect(at - 9, y(brush[1]), 18, y(brush[0]) - y(brush[1]));
    context.globalAlpha = 1; context.strokeStyle = colour("accent");
    context.strokeRect(at - 9, y(brush[1]), 18, y(brush[0]) - y(brush[1]));
  }

  const shareAt = (py) => Math.min(1, Math.max(0, (TALL - BOTTOM - py) / (TALL - TOP - BOTTOM)));
  function nearest(px) {
    const width = box.clientWidth, places = axes.map((_, place) => Math.abs(x(place, width) - px)), place = places.indexOf(Math.min(...places));
    return places[place] < 26 ? place : null;
  }
  picture.node.addEventListener("pointerdown", (event) => {
    const [px, py] = placeIn(event, picture.node), place = nearest(px);
    if (place === null) return;
    picture.node.setPointerCapture(event.pointerId);
    drag = { place, from: shareAt(py) };
  });
  picture.node.addEventListener("pointermove", (event) => {
    const [px, py] = placeIn(event, picture.node);
    picture.node.style.cursor = nearest(px) === null ? "default" : "ns-resize";
    if (!drag) return;
    const to = shareAt(py);
    brushes.set(drag.place, [Math.min(drag.from, to), Math.max(drag.from, to)]);
    picture.draw();
  });
  picture.node.addEventListener("pointerup", () => {
    if (!drag) return;
    const range = brushes.get(drag.place);
    if (range && range[1] - range[0] < 0.015) brushes.delete(drag.place);
    drag = null;
    changed();
  });

  function condition(place, [low, high]) {
    const axis = axes[place], name = place === axes.length - 1 ? "best" : axis.name;
    if (!axis.numeric) return `"${name}" = "${axis.at((low + high) / 2)}"`;
    const [from, to] = [axis.at(low), axis.at(high)];
    return [low > 0 ? `"${name}" >= ${from.toPrecision(6)}` : null, high < 1 ? `"${name}" <= ${to.toPrecision(6)}` : null].filter(Boolean).join(" and ");
  }
  function changed() {
    tell();
    picture.draw();
    chosen([...brushes].map(([place, range]) => condition(place, range)).filter(Boolean).join(" and "));
  }
  function tell() {
    clear.hidden = !brushes.size;
    const count = rows.filter(kept).length;
    words.textContent = brushes.size ? `${number(count)} of ${number(rows.length)} lines are in all ranges; the table of trials shows all such trials.` : `${number(rows.length)} of ${number(given?.of ?? 0)} trials: the best, the stronger the better, and a sample. Drag along an axis to keep a range.`;
  }
  const node = el("div", { class: "card" }, el("div", { class: "head" }, el("h3", {}, "Parallel coordinates"), el("div", { class: "right" }, clear)), box, words, byKeys());
  // The same by keyboard: two numbers for one axis.
  function byKeys() {
    const axis = el("select", { "aria-label": "axis" }), low = el("input", { "aria-label": "from", size: "8" }), high = el("input", { "aria-label": "to", size: "8" });
    const form = el("details", { class: "asTable" }, el("summary", {}, "Set a range by numbers"), el("div", { class: "form" }, el("div", { class: "row" }, axis, low, high, el("button", { type: "button", onclick: () => set2() }, "Keep"))));
    form.addEventListener("toggle", () => axis.replaceChildren(...axes.map((each, place) => el("option", { value: place }, each.name))));
    function set2() {
      const place = Number(axis.value), share = (text, other) => (text.trim() === "" ? other : axes[place].numeric ? axes[place].share(Number(text)) : axes[place].share(text.trim()));
      brushes.set(place, [share(low.value, 0), share(high.value, 1)]);
      changed();
    }
    return form;
  }
  return { node, set };
}

function cut(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let short = text;
  while (short.length > 2 && context.measureText(`…${short}`).width > room) short = short.slice(1);
  return `…${short}`;
}
