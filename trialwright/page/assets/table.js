// The table of trials: sorted, filtered and paged by the server.

import { askRun, csvOf, isSaved } from "./api.js";
import { duration, el, number, section } from "./dom.js";

const ROWS = 50, HIDDEN = new Set(["state", "attempt", "error", "started", "ended", "worker", "best step"]);

export function table(open) {
  let sort, direction, offset = 0, where = "", data = null, chosen = null;
  const head = el("tr"), body = el("tbody"), count = el("span", { class: "count", role: "status" }), wrong = el("p", { class: "bad", role: "alert", hidden: true });
  const filter = el("input", { type: "search", placeholder: "Filter: lr < 0.01 and outcome = stopped", "aria-label": "filter of trials", spellcheck: "false", onchange: () => set(filter.value) });
  const all = el("input", { type: "checkbox", id: "all-columns", onchange: () => draw() });
  const back = el("button", { type: "button", onclick: () => turn(-ROWS) }, "Previous"), next = el("button", { type: "button", onclick: () => turn(ROWS) }, "Next");
  const file = el("a", { class: "button", download: true, title: "all trials that meet the filter" }, "CSV");
  const bar = el("div", { class: "tablebar" }, isSaved ? null : filter, el("label", { for: "all-columns" }, all, " all columns"), count, isSaved ? null : file, back, next);
  const frame = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "table of trials" }, el("table", {}, el("thead", {}, head), body));
  const { node, note } = section("trials", "Trials", el("div", { class: "card" }, bar, wrong, frame));
  note.textContent = "Click a trial to see why it ended, and its configuration.";

  async function load() {
    try {
      data = await askRun("trials", { ...(sort ? { sort } : {}), ...(direction ? { direction } : {}), offset, limit: ROWS, ...(where ? { where } : {}) });
      wrong.hidden = true;
      file.href = csvOf(where);
    } catch (error) {
      wrong.hidden = false;
      wrong.textContent = error.message;
      return;
    }
    draw();
  }
  function set(text) { where = text.trim(); filter.value = where; offset = 0; return load(); }
  function turn(by) { offset = Math.max(0, offset + by); load(); }
  function order(name) {
    const was = data.direction;
    direction = data.sort === name ? (was === "asc" ? "desc" : "asc") : undefined;
    sort = name;
    offset = 0;
    load();
  }
  function draw() {
    if (!data) return;
    const { columns, rows } = data;
    const shown = columns.map((column, place) => ({ ...column, place })).filter((column) => all.checked || column.kind !== "trial" || !HIDDEN.has(column.name));
    const numeric = new Set(shown.filter(({ place }) => rows.some((row) => typeof row[place] === "number")).map(({ place }) => place));
    head.replaceChildren(...shown.map(({ name, place }) => el("th", { scope: "col", class: numeric.has(place) ? "number" : "", "aria-sort": data.sort === name ? (data.direction === "asc" ? "ascending" : "descending") : undefined }, el("button", { type: "button", title: name, onclick: () => order(name) }, name))));
    body.replaceChildren(...rows.map((row) => {
      const go = () => { chosen = row[0]; draw(); open(row[0]); };
      return el("tr", { tabindex: "0", class: row[0] === chosen ? "chosen" : "", onclick: go, onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); go(); } } }, shown.map(({ name, place }) => cell(name, row[place], numeric.has(place))));
    }));
    if (!rows.length) body.replaceChildren(el("tr", {}, el("td", { colspan: String(Math.max(1, shown.length)), class: "empty" }, where ? "no trial meets the filter" : "no trial has begun")));
    count.textContent = data.count ? `${number(offset + 1)} to ${number(offset + rows.length)} of ${number(data.count)}` : "0 trials";
    back.disabled = offset === 0;
    next.disabled = offset + rows.length >= data.count;
  }
  function cell(name, value, isNumber) {
    if (name === "outcome") return el("td", {}, value ? el("span", { class: `pill ${value}` }, value) : el("span", { class: "soft" }, "not ended"));
    const text = value === null ? "" : name === "started" || name === "ended" ? duration(value) : number(value, 5);
    return el("td", { class: isNumber ? "number" : "", title: text.length > 24 ? text : undefined }, text);
  }
  return { node, show() {}, load, set };
}
