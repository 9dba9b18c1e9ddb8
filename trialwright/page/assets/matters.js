// What matters: the importance of parameters, and pictures of what is where in the space.

import { askRun } from "./api.js";
import { asTable, el, number, section } from "./dom.js";
import { parallel } from "./parallel.js";
import { contour, pareto, slices } from "./slices.js";

export function matters(open, chosen) {
  const bars = el("div", { class: "bars" }), words = el("p", { class: "soft" });
  let measured = null, mode = "min", objectives = 1;
  const table = asTable("Importance as a table", () => [["parameter", "share", "from", "to"], (measured?.parameters ?? []).map(({ name, share, low, high }) => [name, share, low, high])]);
  const importance = el("div", { class: "card" }, el("h3", {}, "Importance of the parameters"), bars, words, table);
  const lines = parallel(open, chosen), grid = slices(open), map = contour(open), front = pareto(open);
  const { node } = section("matters", "What matters?", el("div", { class: "grid" }, lines.node, el("div", { class: "grid half" }, importance, map.node, front.node), grid.node));

  function show(summary) { mode = summary.mode; objectives = summary.objectives.length; }
  async function load() {
    const points = await askRun("points");
    lines.set(points, mode);
    grid.set(points, mode);
    await shares();
    map.set(points, mode, (measured?.parameters ?? []).map(({ name }) => name));
    if (objectives > 1) front.set(await askRun("front"));
  }
  async function shares() {
    measured = await askRun("importance");
    if (measured.problem) {
      bars.replaceChildren(el("p", { class: "empty" }, measured.problem));
      words.textContent = "";
      return;
    }
    bars.replaceChildren(...measured.parameters.slice(0, 20).map(({ name, share, low, high }) => el("div", { class: "barrow" }, el("span", { class: "cut", title: name }, name), el("div", { class: "track", title: `95 % interval: ${percent(low)} to ${percent(high)}` }, el("i", { "width%": 100 * share }), el("b", { "left%": 100 * low, "width%": Math.max(0.3, 100 * (high - low)) })), el("span", {}, percent(share)))));
    words.textContent = `What distinguishes the best tenth of ${number(measured.trials)} trials (PED-ANOVA); the line is the 95 % interval.`;
  }
  return { node, show, load };
}

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
