// Acting: stop the run or a trial, enqueue a changed copy; and what another eta and max_t would have done.

import { askRun, isSaved, request } from "./api.js";
import { duration, el, isActive, number, section } from "./dom.js";

let allowed = false;

export function act() {
  const said = el("p", { role: "status", class: "soft" });
  const more = el("input", { type: "number", min: "1", value: "10", id: "more" });
  const add = el("div", { class: "row" }, el("label", { for: "more" }, "More samples"), more, el("button", { type: "button", onclick: () => post("add-samples", { count: Number(more.value) }, `the run was asked for ${more.value} more trials`) }, "Add"));
  const stop = el("div", { class: "card form", hidden: true }, el("h3", {}, "Pause or stop the run"), el("p", { class: "soft" }, "A paused run starts no more trials; those that run continue to their end. A run that is stopped stops its trials, and can be resumed."), el("div", { class: "row" }, el("button", { type: "button", onclick: () => post("pause", { trial: null }, "the run was asked to start no more trials") }, "Pause"), el("button", { type: "button", onclick: () => post("continue", { trial: null }, "the run was asked to continue") }, "Continue"), el("button", { type: "button", class: "danger", onclick: () => sure("Stop the whole run?", () => post("stop", { trial: null }, "the run was asked to stop")) }, "Stop the run")), add, said);
  const eta = el("input", { type: "range", min: "2", max: "8", value: "3", id: "eta", oninput: () => tell() }), most = el("input", { type: "range", min: "1", value: "27", id: "max-t", oninput: () => tell() });
  const etaSaid = el("output", { for: "eta" }), mostSaid = el("output", { for: "max-t" }), result = el("div", { role: "status", class: "soft" });
  const go = el("button", { type: "button", onclick: () => replay() }, "Replay");
  const whatIf = el("div", { class: "card form" }, el("h3", {}, "What if?"), el("p", { class: "soft" }, "The recorded trials, replayed in virtual time under the scheduler with other settings. Nothing is trained."), el("label", { for: "eta" }, el("span", {}, "eta (reduction factor): ", etaSaid), eta), el("label", { for: "max-t" }, el("span", {}, "max_t (steps): ", mostSaid), most), el("div", { class: "row" }, go), result);
  const { node } = section("act", "Act", el("div", { class: "actions" }, whatIf, stop));
  let known = false;

  function tell() { etaSaid.textContent = eta.value; mostSaid.textContent = number(Number(most.value)); }
  function show(summary) {
    allowed = Boolean(summary.control) && isActive(summary.state);
    stop.hidden = !allowed;
    add.hidden = summary.wanted === null;
    whatIf.hidden = !summary.replays || isSaved;
    node.hidden = stop.hidden && whatIf.hidden;
    const [, steps] = /max_t=(\d+)/.exec(summary.settings.scheduler ?? "") ?? [], [, factor] = /reduction_factor=(\d+)/.exec(summary.settings.scheduler ?? "") ?? [];
    const top = Number(steps ?? summary.best?.step ?? 0);
    if (known || !top) return;
    known = true;
    most.max = String(top);
    most.value = String(top);
    eta.value = factor ?? "3";
    tell();
  }
  async function replay() {
    go.disabled = true;
    result.textContent = "replaying …";
    try {
      const answer = await askRun("what-if", { eta: eta.value, max_t: most.value });
      const share = (100 * answer.saved_steps) / Math.max(1, answer.recorded_steps);
      result.replaceChildren(el("dl", { class: "pairs" }, pair("steps", answer.saved_steps >= 0 ? `${number(answer.saved_steps)} fewer (${share.toFixed(0)} %)` : `${number(-answer.saved_steps)} more`), pair("the run takes", `${duration(answer.wall_s)} in place of ${duration(answer.recorded_wall_s)}`), pair("best value", `${number(answer.best)} in place of ${number(answer.recorded_best)}`), pair("the winner", `trial ${answer.winner} is ${answer.kept_winner ? "kept" : "lost"}`), pair("not known", answer.censored ? `${number(answer.censored)} trials would run for longer than was recorded` : "nothing: all curves are long enough")));
    } catch (error) {
      result.textContent = error.message;
    }
    go.disabled = false;
  }
  const pair = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
  async function post(name, body, done) {
    try { await request(name, body); said.textContent = done; } catch (error) { said.textContent = error.message; }
  }
  return { node, show, load() {} };
}

function sure(question, then) { if (window.confirm(question)) then(); }

// What can be done with one trial, in its panel.
export function actionsOf(trial) {
  if (!allowed) return null;
  const said = el("p", { role: "status", class: "soft" });
  const tell = async (name, body, done) => { try { await request(name, body); said.textContent = done; } catch (error) { said.textContent = error.message; } };
  const fields = Object.entries(trial.config).map(([name, value]) => [name, value, el("input", { value: String(value), "aria-label": name })]);
  const copy = el("details", { class: "asTable" }, el("summary", {}, "Enqueue a changed copy"), el("div", { class: "form" }, fields.map(([name, , input]) => el("label", {}, name, input)), el("div", { class: "row" }, el("button", { type: "button", class: "main", onclick: () => tell("enqueue", { config: Object.fromEntries(fields.map(([name, before, input]) => [name, read(input.value, before)])) }, "the copy was enqueued: it comes before the searcher's suggestions") }, "Enqueue"))));
  const stop = trial.outcome ? null : el("button", { type: "button", class: "danger", onclick: () => sure(`Stop trial ${trial.id}?`, () => tell("stop", { trial: trial.id }, "the run was asked to stop this trial")) }, "Stop this trial");
  const pause = trial.outcome || trial.state !== "running" ? null : el("button", { type: "button", onclick: () => tell("pause", { trial: trial.id }, "the run was asked to pause this trial") }, "Pause this trial");
  const go = trial.state === "paused" ? el("button", { type: "button", onclick: () => tell("continue", { trial: trial.id }, "the run was asked to continue this trial") }, "Continue this trial") : null;
  return el("section", { "aria-label": "actions" }, el("div", { class: "form" }, el("div", { class: "row" }, pause, go, stop)), copy, said);
}

// What was typed, as the kind of value that the parameter had.
function read(text, before) {
  if (text === String(before)) return before;
  if (typeof before === "boolean") return text === "true";
  return typeof before === "number" && text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}
