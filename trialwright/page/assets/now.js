// What runs now: the trials, and where each ran: a Gantt chart by slot, with idle time in red.

import { askRun } from "./api.js";
import { asTable, clock, colour, duration, el, isActive, number, section, settingsOf } from "./dom.js";
import { canvas, placeIn, tipOf } from "./plot.js";

const LEFT = 92, ROW = 20, HEAD = 22;

export function now(open) {
  const running = el("ul", { class: "list" }), lately = el("ul", { class: "list" }), box = el("div", { class: "chart" });
  let data = null;
  const ranges = el("div", { class: "right" });
  const lanes = () => (data ? Math.max(1, data.lanes.length) : 1);
  const legend = el("div", { class: "legend" }, ["completed", "stopped", "failed", "running", "paused", "idle"].map((kind) => el("span", { class: `of-${kind}` }, kind)));
  const table = asTable("Slots as a table", () => [["slot", "trial", "from", "to", "how it ended"], (data?.bars ?? []).map(([trial, lane, began, ended, how]) => [data.lanes[lane], trial, duration(began), duration(ended), how])]);
  const gantt = el("div", { class: "card" }, el("div", { class: "head" }, el("h3", {}, "Which trial ran where"), ranges), box, legend, table);
  const { node, note } = section("now", "What runs now?", el("div", { class: "grid two" }, gantt, el("div", { class: "card" }, el("h3", {}, "Running"), running, el("h3", { class: "later" }, "Ended lately"), lately)));
  const tip = tipOf(box);
  const picture = canvas(box, () => HEAD + lanes() * ROW + 34, "Gantt chart of trials by slot; the same numbers are in the table below", paint);
  let view = {};

  function show(summary) {
    const count = summary.states.running ?? 0;
    note.textContent = count ? `${number(count)} running${summary.states.waiting ? `, ${number(summary.states.waiting)} waiting` : ""}` : isActive(summary.state) ? "nothing runs at this moment" : "nothing: the run is over";
    running.replaceChildren(...(summary.running.map((trial) => line(trial, `step ${trial.step}`, duration(summary.now - trial.started))) || []));
    if (!summary.running.length) running.replaceChildren(el("li", { class: "empty" }, "no trial runs"));
    lately.replaceChildren(...summary.lately.map((trial) => line(trial, trial.error || trial.reason, el("span", { class: `pill ${trial.outcome}` }, trial.outcome))));
    if (!summary.lately.length) lately.replaceChildren(el("li", { class: "empty" }, "no trial has ended"));
  }

  function line(trial, words, right) {
    const value = trial.last ?? trial.best;
    return el("li", {}, el("button", { type: "button", onclick: () => open(trial.id) }, el("span", {}, `#${trial.id}`), el("span", { class: "cut", title: words }, `${value === null ? "" : `${number(value)}  `}`, el("span", { class: "soft" }, words)), el("span", { class: "soft" }, right)));
  }

  async function load() {
    data = await askRun("timeline", view);
    const whole = data.from <= 0 && data.to >= data.now;
    ranges.replaceChildren(
      el("span", { class: "soft" }, whole ? "the whole run" : `${duration(data.from)} to ${duration(data.to)}`),
      el("button", { type: "button", "aria-label": "earlier", disabled: data.from <= 0, onclick: () => move(-0.8) }, "◀"),
      el("button", { type: "button", "aria-label": "later", disabled: !("to" in view), onclick: () => move(0.8) }, "▶"),
      el("button", { type: "button", onclick: () => zoom(0.5) }, "Zoom in"),
      el("button", { type: "button", onclick: () => { view = {}; load(); } }, "Latest"),
    );
    picture.draw();
  }
  function move(share) {
    const span = data.to - data.from, to = Math.min(data.now, Math.max(span, data.to + share * span));
    view = to >= data.now ? {} : { from: Math.max(0, to - span), to };
    load();
  }
  function zoom(share) {
    const span = (data.to - data.from) * share;
    view = { from: data.to - span, to: data.to };
    load();
  }

  function paint(context, width) {
    if (!data) return;
    const { from, to } = data, x = (at) => LEFT + ((at - from) / Math.max(to - from, 1e-9)) * (width - LEFT - 6);
    context.fillStyle = colour("soft");
    context.textBaseline = "middle";
    for (let tick = 0; tick <= 5; tick++) {
      const at = from + ((to - from) * tick) / 5;
      context.textAlign = tick === 0 ? "left" : tick === 5 ? "right" : "center";
      context.fillText(clock(at), x(at), 9);
    }
    context.textAlign = "right";
    data.lanes.forEach((lane, place) => {
      const y = HEAD + place * ROW;
      context.fillStyle = colour("grid");
      context.fillRect(LEFT, y + 1, width - LEFT - 6, ROW - 3);
      context.fillStyle = colour("soft");
      context.fillText(lane.length > 14 ? `…${lane.slice(-13)}` : lane, LEFT - 8, y + ROW / 2);
    });
    for (const [lane, began, ended] of data.idle) {
      context.fillStyle = colour("idle");
      context.fillRect(x(began), HEAD + lane * ROW + ROW / 2 - 3, Math.max(1, x(ended) - x(began) - 0.5), 4);
    }
    for (const [trial, lane, began, ended, how] of data.bars) bar2(context, x(Math.max(began, from)), x(Math.min(ended, to)), HEAD + lane * ROW, colour(colourOf(how)), String(trial));
    busy(context, width, HEAD + data.lanes.length * ROW + 6);
  }
  function busy(context, width, top) {
    const most = Math.max(1, ...data.busy.map(([, count]) => count)), tall = 22;
    const x = (at) => LEFT + (at / Math.max(data.now, 1e-9)) * (width - LEFT - 6);
    context.fillStyle = colour("accent-soft");
    context.beginPath();
    context.moveTo(x(0), top + tall);
    for (const [at, count] of data.busy) context.lineTo(x(at), top + tall - (tall * count) / most);
    context.lineTo(x(data.now), top + tall);
    context.fill();
    context.strokeStyle = colour("accent");
    context.strokeRect(x(data.from), top, Math.max(2, x(data.to) - x(data.from)), tall);
    context.fillStyle = colour("soft");
    context.textAlign = "right";
    context.fillText("whole run", LEFT - 8, top + tall / 2);
  }

  function found(event) {
    if (!data) return null;
    const [px, py] = placeIn(event, picture.node), lane = Math.floor((py - HEAD) / ROW);
    const width = box.clientWidth, at = data.from + ((px - LEFT) / (width - LEFT - 6)) * (data.to - data.from), near = (data.to - data.from) * 0.002;
    const bar = data.bars.find((each) => each[1] === lane && at >= each[2] - near && at <= each[3] + near);
    const gap = !bar && data.idle.find((each) => each[0] === lane && at >= each[1] && at <= each[2]);
    return { px, py, bar, gap };
  }
  picture.node.addEventListener("pointermove", (event) => {
    const { px, py, bar, gap } = found(event) ?? {};
    picture.node.style.cursor = bar ? "pointer" : "default";
    if (bar) tip.show(`trial ${bar[0]}: ${duration(bar[3] - bar[2])}, ${bar[4]}`, px, py);
    else if (gap) tip.show(`idle for ${duration(gap[2] - gap[1])}: ${gap[3]}`, px, py);
    else tip.hide();
  });
  picture.node.addEventListener("pointerleave", () => tip.hide());
  picture.node.addEventListener("click", (event) => { const { bar } = found(event) ?? {}; if (bar) open(bar[0]); });
  return { node, show, load: () => ("to" in view ? null : load()) };
}

const colourOf = (how) => (["completed", "failed", "lost", "running", "paused"].includes(how) ? how : how === "stopping" ? "running" : "stopped");

function bar2(context, from, to, top, fill, label = "") {
  const width = Math.max(1, to - from - 0.5);
  context.fillStyle = fill;
  context.fillRect(from, top + 2, width, ROW - 5);
  if (label && width > 12 + 7 * label.length) {
    context.fillStyle = colour("card");
    context.textAlign = "left";
    context.fillText(label, from + 5, top + ROW / 2 - 0.5);
  }
}
