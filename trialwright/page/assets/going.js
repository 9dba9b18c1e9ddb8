// Is it going well: the best so far and how it came, how much is done, what is left, what it has cost.

import { askRun } from "./api.js";
import { asTable, clock, colour, duration, el, isActive, number, plural, section, settingsOf } from "./dom.js";
import { lines } from "./plot.js";

const ORDER = ["completed", "stopped", "failed", "lost", "cancelled"];

export function going(open) {
  const facts = el("div", { class: "grid facts" }), box = el("div", { class: "chart" });
  const legend = el("div", { class: "legend" }, el("span", { class: "of-best" }, "best so far"), el("span", { class: "of-stopped" }, "trials, when they ended"));
  let data = null, title = el("h3", {}, "");
  const table = asTable("Improvements as a table", () => [["time", "value", "trial"], (data?.improvements ?? []).map(([at, value, trial]) => [duration(at), value, trial])]);
  const { node, note } = section("going", "Is it going well?", facts, el("div", { class: "card" }, title, box, legend, table));
  const chart = lines(box, { height: 250, x: "time of the run", xFormat: clock, yFormat: (value) => number(value, 3) });

  function show(summary) {
    note.textContent = summary.read ? `reading the journal: ${number(summary.read.done)} of ${number(summary.read.of)} trials` : "";
    title.textContent = summary.metric ? `${summary.metric} (${summary.mode === "max" ? "larger is better" : "smaller is better"})` : "";
    facts.replaceChildren(bestFact(summary, open), improvedFact(summary), trialsFact(summary), leftFact(summary), costFact(summary), failuresFact(summary));
  }

  async function load() {
    data = await askRun("history", { width: Math.max(100, Math.round(box.clientWidth / 2)) || 300 });
    const best = new Map(data.improvements.map(([at, value]) => [at, value]));
    const times = [...new Set([...data.at_s, ...best.keys(), data.end])].sort((a, b) => a - b);
    const place = new Map(data.at_s.map((at, index) => [at, index]));
    const low = times.map((at) => (place.has(at) ? data.least[place.get(at)] : null)), high = times.map((at) => (place.has(at) ? data.greatest[place.get(at)] : null));
    let now = null;
    const steps = times.map((at) => (now = best.get(at) ?? now));
    const dots = { stroke: () => colour("stopped"), paths: () => null, points: { show: true, size: 3.5, width: 0, fill: () => colour("stopped") } };
    const line = { label: "best so far", stroke: () => colour("accent"), width: 2.5, points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) };
    chart.range(range(data, steps));
    chart.set([times, low, high, steps], [{ ...dots, label: "best" }, { ...dots, label: "worst" }, line]);
  }
  return { node, show, load };
}

// The axis shows the best values and most of the others: a few that are much worse would hide all differences.
function range({ least, greatest }, steps) {
  const all = [...least, ...greatest].filter((value) => value !== null).sort((a, b) => a - b), best = steps.filter((value) => value !== null);
  if (!all.length || !best.length) return null;
  const at = (share) => all[Math.min(all.length - 1, Math.floor(share * all.length))];
  const down = best.at(-1) <= best[0];
  const low = down ? Math.min(...best, at(0)) : Math.max(all[0], Math.min(at(0.1), best[0])), high = down ? Math.min(all.at(-1), Math.max(at(0.9), best[0])) : Math.max(...best, at(0.999));
  const pad = 0.05 * (high - low || Math.abs(high) || 1);
  return [low - pad, high + pad];
}

function fact(label, value, more, kind = "", ...rest) {
  return el("div", { class: `card fact ${kind}` }, el("span", { class: "label" }, label), el("span", { class: "value", title: String(value) }, value), more && el("span", { class: "more", title: typeof more === "string" ? more : undefined }, more), ...rest);
}

function bestFact({ best, metric }, open) {
  if (!metric) return fact("Best so far", "–", "the run has no metric");
  if (!best) return fact(`Best ${metric} so far`, "–", "no trial has reported a finite value");
  const card = fact(`Best ${metric} so far`, number(best.value, 5), settingsOf(best.config), "best", el("button", { type: "button", class: "plain", onclick: () => open(best.trial) }, `trial ${best.trial}, step ${best.step}`));
  card.dataset.best = String(best.value);
  return card;
}

function improvedFact({ improvements, now, best, state }) {
  const last = improvements.at(-1);
  if (!last || !best) return fact("Last improvement", "–", "");
  const before = improvements.at(-2), change = before ? `${number(before[1], 4)} → ${number(last[1], 4)}` : "the first value";
  return fact("Last improvement", !isActive(state) ? `at ${clock(last[0])}` : now - last[0] < 0.5 ? "now" : `${duration(now - last[0])} ago`, `${change}; ${plural(improvements.length, "improvement")}`);
}

function trialsFact({ outcomes, states, wanted, trials }) {
  const ended = states.ended ?? 0, of = wanted ?? trials, running = states.running ?? 0;
  const bar = el("div", { class: "bar", role: "img", "aria-label": "trials by outcome" }, ORDER.filter((kind) => outcomes[kind]).map((kind) => el("i", { class: `${kind}-b`, "width%": (100 * outcomes[kind]) / Math.max(of, 1) })), running ? el("i", { class: "running-b", "width%": (100 * running) / Math.max(of, 1) }) : null);
  const kinds = ORDER.filter((kind) => outcomes[kind]).map((kind) => `${number(outcomes[kind])} ${kind}`);
  return fact("Trials", wanted === null ? number(ended) : `${number(ended)} of ${number(wanted)}`, [running ? `${running} running` : null, states.paused ? `${states.paused} paused` : null, ...kinds].filter(Boolean).join(", "), "", bar);
}

function leftFact({ eta_s, state, now, wanted }) {
  if (!isActive(state)) return fact("Took", duration(now), state === "finished" ? "the run is over" : "the run was interrupted: it can be resumed");
  return fact("Time left", eta_s === null ? "–" : duration(eta_s), `after ${duration(now)}${wanted === null ? "; no number of trials was planned" : ""}`);
}

function costFact({ cost, trial_s, now }) {
  const used = Object.entries(cost).map(([name, hours]) => `${number(hours, 3)} ${name} hours`);
  return fact("Cost so far", duration(trial_s), used.join(", ") || "time of all trials, added up");
}

function failuresFact({ outcomes }) {
  const count = (outcomes.failed ?? 0) + (outcomes.lost ?? 0);
  return fact("Failures", number(count), count ? el("a", { href: "#failures" }, "by message") : "none", count ? "bad" : "");
}
