// One trial, beside the page: why it ended, its curve, its configuration, what was decided, its error.

import { askRun } from "./api.js";
import { asTable, byId, colour, duration, el, number } from "./dom.js";
import { lines } from "./plot.js";

let before = null;

export async function openTrial(id, actions) {
  const box = byId("detail");
  if (box.hidden) before = document.activeElement;
  const title = el("h2", { id: "detail-title", tabindex: "-1" }, `Trial ${id}`, el("button", { type: "button", class: "close", onclick: close }, "Close"));
  box.replaceChildren(title, el("p", { class: "empty" }, "reading …"));
  box.hidden = false;
  title.focus();
  try {
    const trial = await askRun(`trials/${id}`);
    box.replaceChildren(title, ...parts(trial, actions));
    curve(trial, box.querySelector(".chart"));
  } catch (error) {
    box.replaceChildren(title, el("p", { class: "bad" }, error.message));
  }
}

export function close() {
  byId("detail").hidden = true;
  before?.focus();
}

document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !byId("detail").hidden) close(); });

function parts(trial, actions) {
  const how = trial.outcome ?? trial.state;
  return [
    el("p", {}, el("span", { class: `pill ${how}` }, how), el("span", { class: "soft" }, `  ${took(trial)}`)),
    el("div", { class: "why" }, why(trial)),
    actions ? actions(trial) : null,
    trial.curve.steps.length ? el("section", { "aria-label": "curve" }, el("h3", {}, trial.curve.metrics[0]), el("div", { class: "chart" }), asTable("Curve as a table", () => [["step", ...trial.curve.metrics], trial.curve.steps.map((step, place) => [step, ...trial.curve.values.map((column) => column[place])])])) : null,
    trial.error ? el("section", {}, el("h3", {}, "Error"), el("p", { class: "bad" }, trial.error), trial.traceback ? el("pre", { tabindex: "0", "aria-label": "traceback" }, trial.traceback) : null) : null,
    trial.comments.length ? el("section", {}, el("h3", {}, "Comments"), trial.comments.map(([written, text]) => el("p", {}, text, el("span", { class: "soft" }, ` ${written}`)))) : null,
    pairs("Configuration", trial.config),
    pairs("Last metrics", trial.metrics),
    trial.lineage.length ? el("section", {}, el("h3", {}, "Lineage"), el("ol", { class: "story" }, trial.lineage.map(({ at_s, donor }) => el("li", {}, el("span", { class: "soft" }, duration(at_s)), el("span", {}, ""), el("span", {}, "from the checkpoint of ", el("button", { type: "button", class: "plain", onclick: () => openTrial(donor, actions) }, `trial ${donor}`)))))) : null,
    Object.keys(trial.tags).length ? pairs("Where it came from (tags of the searcher and scheduler)", trial.tags) : null,
    trial.decisions.length ? el("section", {}, el("h3", {}, "What happened, and what was decided"), el("ol", { class: "story", tabindex: "0" }, trial.decisions.map(({ at_s, step, words }) => el("li", {}, el("span", { class: "soft" }, duration(at_s)), el("span", { class: "soft" }, step === null ? "" : `step ${step}`), el("span", {}, words))))) : null,
    pairs("Where and when", { worker: trial.worker || "–", started: duration(trial.started), ended: duration(trial.ended), attempts: trial.attempt, checkpoint: trial.checkpoint ?? "–", files: trial.directory }),
  ].filter(Boolean);
}

const took = ({ started, ended, step }) => `${step} ${step === 1 ? "report" : "reports"}${started !== null && ended !== null ? ` in ${duration(ended - started)}` : ""}`;

function why({ outcome, state, reason, error, explained }) {
  if (explained) return explained;
  if (!outcome) return state === "running" ? "It runs." : `It is ${state}.`;
  const words = { completed: "It has run to its end", stopped: "It was stopped", failed: "It failed", lost: "It was lost", cancelled: "It never began" }[outcome] ?? outcome;
  return reason || error ? `${words}: ${reason || error}.`.replace("..", ".") : `${words}.`;
}

function pairs(title, values) {
  return el("section", {}, el("h3", {}, title), el("dl", { class: "pairs" }, Object.entries(values).map(([name, value]) => [el("dt", {}, name), el("dd", {}, number(value, 6))])));
}

function curve({ curve: { steps, values } }, box) {
  if (!box) return;
  const chart = lines(box, { height: 170, x: "step", yFormat: (value) => number(value, 3) });
  chart.set([steps, values[0]], [{ stroke: () => colour("accent"), width: 2, points: { show: steps.length < 40, size: 5 }, spanGaps: true }]);
}
