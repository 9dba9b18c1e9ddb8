// Learning curves, and how many trials survived each rung.

import { askRun } from "./api.js";
import { asTable, colour, el, number, section } from "./dom.js";
import { lines, shade } from "./plot.js";

export function curves(open) {
  const box = el("div", { class: "chart" }), list = el("div", { class: "rungs" }), under = el("p", { class: "soft" });
  const metrics = el("select", { "aria-label": "metric", onchange: () => load() });
  const log = el("button", { type: "button", "aria-pressed": "false", onclick: () => scale() }, "Log scale");
  let data = null, summary = null;
  const table = asTable("Curves as a table", () => [["trial", "steps", "last value"], (data?.curves ?? []).map(({ trial, points }) => [trial, points.at(-1)[0], points.at(-1)[1]])]);
  const { node, note } = section("curves", "How do trials learn?", el("div", { class: "grid two" }, el("div", { class: "card" }, el("div", { class: "head" }, el("h3", {}, "Learning curves"), el("div", { class: "right" }, metrics, log)), box, under, table), el("div", { class: "card" }, el("h3", {}, "How many trials reached each rung"), list)));
  const chart = lines(box, { height: 320, x: "step", yFormat: (value) => number(value, 3), onpick });

  function scale() {
    const on = log.getAttribute("aria-pressed") !== "true";
    log.setAttribute("aria-pressed", String(on));
    chart.scale(on ? "log" : "linear");
  }
  function show(next) {
    summary = next;
    const names = next.columns.filter((column) => column.kind === "metric").map((column) => column.name);
    if (metrics.options.length !== names.length) {
      const chosen = metrics.value || next.metric;
      metrics.replaceChildren(...names.map((name) => el("option", { value: name, selected: name === chosen }, name)));
    }
    metrics.hidden = names.length < 2;
  }
  async function load() {
    const width = Math.max(50, Math.round(box.clientWidth / 3)) || 200;
    [data] = [await askRun("curves", { metric: metrics.value || "", width })];
    draw();
    rungs(await askRun("rungs"));
  }
  function draw() {
    const shown = [...data.curves].reverse();
    const steps = [...new Set(shown.flatMap(({ points }) => points.map(([step]) => step)))].sort((a, b) => a - b);
    const place = new Map(steps.map((step, index) => [step, index]));
    const columns = shown.map(({ points }) => { const column = new Array(steps.length).fill(null); for (const [step, value] of points) column[place.get(step)] = value; return column; });
    const best = data.curves.filter(({ rank }) => rank !== null).length;
    const series = shown.map(({ trial, rank, points }) => ({
      label: `trial ${trial}`, spanGaps: true, width: rank === 0 ? 2.5 : 1.2, points: { show: points.length < 2, size: 4 },
      stroke: () => (rank === 0 ? colour("accent") : rank === null ? colour("line") : shade(1 - rank / Math.max(best, 1), 0.7)),
    }));
    if (steps.length) chart.set([steps, ...columns], series);
    under.textContent = data.curves.length ? `${number(data.curves.length)} of ${number(data.of)} trials: the ${best} best, the stronger the better, and a sample of the others. Click a curve to see its trial.` : "no trial has reported this metric";
  }
  function onpick(chart) {
    const focused = chart.series.findIndex((series, place) => place > 0 && series._focus);
    if (focused > 0) open(Number(chart.series[focused].label.slice(6)));
  }
  function rungs(answer) {
    const { total } = answer;
    note.textContent = answer.scheduler ? `scheduler ${String(answer.scheduler).split("(")[0]}` : "";
    const rows = answer.rungs.map((rung, place) => {
      const further = answer.rungs[place + 1]?.reached ?? 0, share = (count) => (100 * count) / Math.max(total, 1);
      const parts = [["completed", rung.completed], ["running", rung.alive], ["stopped", rung.stopped], ["failed", rung.failed + rung.lost]].filter(([, count]) => count);
      const words = parts.map(([kind, count]) => `${number(count)} ${kind === "running" ? "not ended" : kind}`).join(", ");
      return el("div", { class: "rung" }, el("span", {}, `step ${number(rung.step)}`), el("div", { class: "bar", title: words, role: "img", "aria-label": `${number(rung.reached)} reached; of these ${words || "all went on"}` }, further ? el("i", { class: "further", "width%": share(further) }) : null, parts.map(([kind, count]) => el("i", { class: `${kind}-b`, "width%": share(count) }))), el("span", { class: "soft" }, `${number(rung.reached)} reached`));
    });
    list.replaceChildren(...(rows.length ? rows : [el("p", { class: "empty" }, "no trial has begun")]), el("div", { class: "legend" }, el("span", { class: "of-best" }, "went on"), ["completed", "running", "stopped", "failed"].map((kind) => el("span", { class: `of-${kind}` }, kind === "running" ? "not ended" : `${kind} here`))));
  }
  return { node, show, load };
}
