// The runs of a directory.

import { ask } from "./api.js";
import { duration, el, number } from "./dom.js";

const LIST_MS = 3000;

export async function runs(main) {
  const { runs: found } = await ask("/api/runs");
  setTimeout(() => runs(main), found.some((run) => run.reading) ? LIST_MS / 6 : LIST_MS);
  const shown = JSON.stringify(found);
  if (main.dataset.shown === shown) return;
  main.dataset.shown = shown;
  const names = ["run", "state", "trials", "best", "metric", "took", "created", "searcher", "scheduler"];
  const rows = found.map((run) => el("tr", {}, el("td", {}, el("a", { href: `/run/${encodeURIComponent(run.id)}`, title: run.id }, run.name)), el("td", {}, run.state ? el("span", { class: `pill ${run.state}` }, run.state) : null), ...(run.problem ? [el("td", { colspan: "7", class: run.reading ? "soft" : "bad", title: run.problem }, run.problem)] : [el("td", { class: "number" }, run.wanted === null ? number(run.trials) : `${number(run.trials)} of ${number(run.wanted)}`), el("td", { class: "number" }, number(run.best, 5)), el("td", {}, run.metric ?? "–"), el("td", { class: "number" }, duration(run.now)), el("td", {}, run.created.slice(0, 16)), el("td", {}, short(run.searcher)), el("td", {}, short(run.scheduler))])));
  const table = el("table", {}, el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col", class: ["trials", "best", "took"].includes(name) ? "number" : "" }, name)))), el("tbody", {}, rows));
  main.replaceChildren(el("section", { "aria-labelledby": "runs-title" }, el("div", { class: "head" }, el("h2", { id: "runs-title" }, "Runs"), el("span", { class: "note" }, `${number(found.length)} in this directory, the newest first`)), found.length ? el("div", { class: "card" }, el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "runs" }, table)) : el("p", { class: "card empty" }, "there is no run in this directory yet")));
}

const short = (setting) => (setting === null || setting === undefined ? "–" : String(setting).split("(")[0]);
