// Slices (a parameter against the value), a contour of two parameters, and the Pareto front.

import { colour, el, number } from "./dom.js";
import { axisOf, clipped } from "./parallel.js";
import { canvas, placeIn, shade, tipOf } from "./plot.js";

const LOW = 40, PAD = 10;

// A scatter of points {id, x, y, shade, text}, with an axis each; `under` paints what is behind them.
function scatter(box, height, label, get, open, under) {
  const tip = tipOf(box);
  const picture = canvas(box, height, label, (context, width, tall) => {
    const got = get();
    if (!got) return;
    const { xs, ys, points } = got, at = spot(width, tall);
    under?.(context, width, tall, at);
    frame(context, width, tall, xs, ys);
    for (const point of points) {
      if (point.x === null || point.y === null) continue;
      const [px, py] = at(point);
      context.fillStyle = point.fill ?? shade(point.shade, 0.75);
      context.beginPath();
      context.arc(px, py, point.size ?? 2.6, 0, 7);
      context.fill();
      if (point.ring) { context.strokeStyle = colour("card"); context.stroke(); }
    }
  });
  const spot = (width, tall) => (point) => [LOW + 12 + point.x * (width - LOW - 12 - PAD), tall - 34 - point.y * (tall - 34 - PAD)];
  const near = (event) => {
    const got = get();
    if (!got) return null;
    const [px, py] = placeIn(event, picture.node), at = spot(box.clientWidth, picture.node.clientHeight);
    let best = null, least = 100;
    for (const point of got.points) {
      if (point.x === null || point.y === null) continue;
      const [qx, qy] = at(point), far = (qx - px) ** 2 + (qy - py) ** 2;
      if (far < least) { least = far; best = { point, px: qx, py: qy }; }
    }
    return best;
  };
  picture.node.addEventListener("pointermove", (event) => { const hit = near(event); if (hit) tip.show(hit.point.text, hit.px, hit.py); else tip.hide(); picture.node.style.cursor = hit ? "pointer" : "default"; });
  picture.node.addEventListener("pointerleave", () => tip.hide());
  picture.node.addEventListener("click", (event) => { const hit = near(event); if (hit) open(hit.point.id); });
  return picture;
}

function frame(context, width, tall, xs, ys) {
  context.strokeStyle = colour("line");
  context.strokeRect(LOW + 6, 4, width - LOW - 6 - 4, tall - 34);
  context.fillStyle = colour("soft");
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "alphabetic";
  const wide = width - LOW - 12 - PAD;
  const shown = xs.ticks.length > Math.floor(wide / 60) ? [xs.ticks[0], xs.ticks.at(-1)] : xs.ticks;
  shown.forEach((tick, place) => {
    context.textAlign = shown.length > 1 && place === 0 ? "left" : shown.length > 1 && place === shown.length - 1 ? "right" : "center";
    const share = shown.length < 2 ? 0.5 : place / (shown.length - 1);
    context.fillText(tick.length > 14 ? `${tick.slice(0, 13)}…` : tick, LOW + 12 + share * wide, tall - 14);
  });
  context.textAlign = "right";
  const rows = ys.ticks.length > 7 ? [ys.ticks[0], ys.ticks.at(-1)] : ys.ticks;
  rows.forEach((tick, place) => context.fillText(tick.length > 8 ? `${tick.slice(0, 7)}…` : tick, LOW + 3, tall - 34 - (rows.length < 2 ? 0.5 : place / (rows.length - 1)) * (tall - 34 - PAD) + 4));
}

const jitter = (id) => (((id * 2654435761) % 997) / 997 - 0.5) * 0.1; // points of one category would hide each other

export function slices(open) {
  const box = el("div", { class: "grid slices" });
  const node = el("div", { class: "card" }, el("h3", {}, "Slices: each parameter against the value"), box);
  let shown = "", drawn = [], points = null, ys = null, values = [];
  function set(given, mode) {
    points = given;
    values = clipped(given.rows.map((row) => row[2]), mode);
    ys = axisOf({ name: given.metric, numeric: true, categories: [], log: false }, values);
    const names = JSON.stringify(given.parameters);
    if (names !== shown) {
      shown = names;
      drawn = given.parameters.slice(0, 24).map((parameter, place) => one(parameter.name, place, mode));
      box.replaceChildren(...drawn.map(({ figure }) => figure));
    }
    drawn.forEach(({ picture }) => picture.draw());
  }
  function one(name, place, mode) {
    const figure = el("figure", { class: "slice" }, el("figcaption", { class: "cut", title: name }, name));
    const get = () => {
      const parameter = points.parameters[place], xs = axisOf(parameter, points.rows.map((row) => row[place + 3]));
      const list = points.rows.map((row, index) => {
        const share = xs.share(row[place + 3]), level = ys.share(values[index]);
        return { id: row[0], x: share === null ? null : xs.numeric ? share : Math.min(1, Math.max(0, share + jitter(row[0]))), y: level, shade: mode === "max" ? level : 1 - level, text: `trial ${row[0]}: ${name} ${number(row[place + 3])}, ${points.metric} ${number(row[2])}` };
      });
      return { xs, ys, points: list };
    };
    const chart = el("div", { class: "chart" });
    figure.append(chart);
    return { figure, picture: scatter(chart, 170, `${name} against the value, a point for each trial`, get, open) };
  }
  return { node, set };
}

export function contour(open) {
  const box = el("div", { class: "chart" }), across = el("select", { "aria-label": "parameter across" }), up = el("select", { "aria-label": "parameter up" });
  const node = el("div", { class: "card" }, el("div", { class: "head" }, el("h3", {}, "Contour of two parameters"), el("div", { class: "right" }, across, up)), box, el("p", { class: "soft" }, "The stronger the colour, the better. Between trials the value is a mean of the nearest ones, weighted by distance."));
  let points = null, mode = "min", grid = null, made = null;
  const CELLS = 36;
  const picture = scatter(box, 300, "Contour of the value over two parameters", () => made, open, paint);
  across.addEventListener("change", make);
  up.addEventListener("change", make);
  function set(given, goal, first = []) {
    points = given; mode = goal;
    const names = given.parameters.map(({ name }) => name);
    if (names.length < 2) { node.hidden = true; return; }
    node.hidden = false;
    if (across.options.length !== names.length) {
      const [a, b] = [...first.filter((name) => names.includes(name)), ...names].filter((name, place, all) => all.indexOf(name) === place);
      across.replaceChildren(...names.map((name) => el("option", { value: name, selected: name === a }, name)));
      up.replaceChildren(...names.map((name) => el("option", { value: name, selected: name === b }, name)));
    }
    make();
  }
  function make() {
    const [i, j] = [across, up].map(({ value }) => points.parameters.findIndex(({ name }) => name === value));
    const values = clipped(points.rows.map((row) => row[2]), mode), level = axisOf({ name: "", numeric: true, categories: [] }, values);
    const [xs, ys] = [i, j].map((place) => axisOf(points.parameters[place], points.rows.map((row) => row[place + 3])));
    const list = points.rows.map((row, index) => {
      const share = level.share(values[index]);
      return { id: row[0], x: xs.share(row[i + 3]), y: ys.share(row[j + 3]), good: mode === "max" ? share : 1 - share, size: 2.2, ring: false, fill: colour("text"), text: `trial ${row[0]}: ${points.metric} ${number(row[2])}` };
    });
    made = { xs, ys, points: list };
    grid = surface(list.filter((point) => point.x !== null && point.y !== null));
    picture.draw();
  }
  // A mean of all points, weighted by the fourth power of their distance (Shepard 1968).
  function surface(list) {
    const sums = [];
    for (let row = 0; row < CELLS; row++) for (let column = 0; column < CELLS; column++) {
      const x = (column + 0.5) / CELLS, y = (row + 0.5) / CELLS;
      let sum = 0, weights = 0;
      for (const point of list) { const weight = 1 / (((point.x - x) ** 2 + (point.y - y) ** 2) ** 2 + 1e-6); sum += weight * point.good; weights += weight; }
      sums.push(weights ? sum / weights : 0);
    }
    return sums;
  }
  function paint(context, width, tall) {
    if (!grid) return;
    const left = LOW + 12, wide = width - left - PAD, high = tall - 34 - PAD, [least, most] = [Math.min(...grid), Math.max(...grid)];
    grid.forEach((value, place) => {
      const column = place % CELLS, row = Math.floor(place / CELLS);
      context.fillStyle = shade(Math.floor(((value - least) / Math.max(most - least, 1e-9)) * 9) / 9);
      context.fillRect(left + (column * wide) / CELLS, tall - 34 - ((row + 1) * high) / CELLS, wide / CELLS + 1, high / CELLS + 1);
    });
  }
  return { node, set };
}

export function pareto(open) {
  const box = el("div", { class: "chart" }), across = el("select", { "aria-label": "objective across" }), up = el("select", { "aria-label": "objective up" }), words = el("p", { class: "soft" });
  const node = el("div", { class: "card", hidden: true }, el("div", { class: "head" }, el("h3", {}, "Pareto front"), el("div", { class: "right" }, across, up)), box, words);
  let data = null;
  const picture = scatter(box, 300, "Two objectives of each trial; those of the front are coloured", () => {
    if (!data) return null;
    const [i, j] = [Number(across.value) + 1, Number(up.value) + 1];
    const [xs, ys] = [i, j].map((place) => axisOf({ name: "", numeric: true, categories: [] }, data.rows.map((row) => row[place])));
    const points = data.rows.map((row) => ({ id: row[0], x: xs.share(row[i]), y: ys.share(row[j]), size: row.at(-1) ? 4 : 2.4, ring: row.at(-1), fill: row.at(-1) ? colour("accent") : colour("stopped"), text: `trial ${row[0]}: ${data.objectives.map(({ metric }, place) => `${metric} ${number(row[place + 1])}`).join(", ")}` }));
    return { xs, ys, points };
  }, open);
  across.addEventListener("change", picture.draw);
  up.addEventListener("change", picture.draw);
  function set(given) {
    data = given.rows.length ? given : null;
    node.hidden = !data;
    if (!data) return;
    if (across.options.length !== data.objectives.length) {
      const option = (chosen) => data.objectives.map(({ metric, mode }, place) => el("option", { value: place, selected: place === chosen }, `${metric} (${mode})`));
      across.replaceChildren(...option(0));
      up.replaceChildren(...option(1));
    }
    const count = data.rows.filter((row) => row.at(-1)).length;
    words.textContent = `${number(count)} trials are on the front: no other trial is at least as good in all objectives and better in one.`;
    picture.draw();
  }
  return { node, set };
}
