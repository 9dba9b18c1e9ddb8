// The page: makes its sections in order, and keeps them as new as the journal.

import { act, actionsOf } from "./act.js";
import { ask, askRun, isSaved, runId } from "./api.js";
import { curves } from "./curves.js";
import { openTrial } from "./detail.js";
import { byId, duration, el, isActive } from "./dom.js";
import { failures } from "./failures.js";
import { going } from "./going.js";
import { runs } from "./list.js";
import { matters } from "./matters.js";
import { now } from "./now.js";
import { redrawAll } from "./plot.js";
import { table } from "./table.js";

const main = byId("main");
const AGAIN_MS = { going: 1000, now: 1500, curves: 2500, trials: 1500, matters: 10_000, failures: 3000 };

function theme() {
  const prefers = matchMedia("(prefers-color-scheme: dark)"), button = byId("theme");
  let chosen = null;
  const set = () => {
    const dark = (chosen ?? (prefers.matches ? "dark" : "light")) === "dark";
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-pressed", String(dark));
    redrawAll();
  };
  button.addEventListener("click", () => { chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark"; set(); });
  prefers.addEventListener("change", set);
  set();
}

function problem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

// A section is asked for again only while it is on the screen, and not more often than its period.
function keeper(name, part) {
  let visible = false, stale = true, busy = false, failed = false, last = 0, took = 0, timer = null;
  const look = async () => {
    timer = null;
    if (!visible || !stale || busy) return;
    // What takes long to answer is asked for less often: the head of the page must not wait for it.
    const wait = last + Math.max(AGAIN_MS[name] ?? 2000, 5 * took) - performance.now();
    if (last && wait > 0) { timer = setTimeout(look, wait); return; }
    const began = performance.now();
    busy = true; stale = false;
    try {
      await part.load();
      if (failed) problem("");
      failed = false;
    } catch (error) { failed = true; problem(error.message); }
    busy = false; last = performance.now(); took = last - began;
    if (stale && !timer) look();
  };
  new IntersectionObserver((entries) => { visible = entries.at(-1).isIntersecting; look(); }, { rootMargin: "300px" }).observe(part.node);
  return (now) => {
    stale = true;
    if (now) { clearTimeout(timer); timer = null; last = 0; }
    if (!timer) look();
  };
}

async function showRun() {
  const open = (id) => openTrial(id, actionsOf);
  const parts = { going: going(open), now: now(open), curves: curves(open) };
  const listed = table(open);
  parts.trials = listed;
  parts.matters = matters(open, (where) => listed.set(where));
  parts.act = act();
  parts.failures = failures(open);
  main.replaceChildren(...Object.values(parts).map((part) => part.node));
  byId("sections").hidden = false;
  byId("save").hidden = isSaved;
  byId("save").href = `/api/runs/${encodeURIComponent(runId)}/save`;
  let reading = true, refresh = null;
  const show = (summary) => {
    head(summary);
    for (const part of Object.values(parts)) part.show(summary);
    refresh ??= Object.entries(parts).map(([name, part]) => keeper(name, part));
    refresh.forEach((again) => again(reading && summary.read === null));
    reading = summary.read !== null;
    requestAnimationFrame(() => setTimeout(() => performance.mark("painted"))); // benchmarks/page.py reads it
  };
  show(await askRun("summary"));
  if (!isSaved) listen(show);
}

function listen(show) {
  let waiting = null, last = null;
  const source = new EventSource(`/api/runs/${encodeURIComponent(runId)}/events`);
  source.addEventListener("change", (event) => {
    if (waiting === null) requestAnimationFrame(() => { last = waiting; waiting = null; show(last); });
    waiting = JSON.parse(event.data);
  });
  source.addEventListener("problem", (event) => { source.close(); problem(JSON.parse(event.data)); });
  source.addEventListener("open", () => problem(""));
  source.addEventListener("error", () => {
    if (last !== null && !isActive(last.state)) problem("The run is over, and its page has ended: what is shown is its last state. trialwright serve shows it again.");
    else if (source.readyState === EventSource.CLOSED) problem("The page is not updated any more: the server has refused the connection.");
    else problem("The page is not updated at the moment: the server does not answer.");
  });
}

function head(summary) {
  document.title = `${summary.name} · Trialwright`;
  byId("name").textContent = summary.name;
  byId("name").title = summary.path;
  byId("home").hidden = summary.is_one;
  const pill = byId("state");
  pill.className = `pill ${summary.state}`;
  pill.textContent = summary.state;
  const { searcher, scheduler, seed } = summary.settings;
  byId("footer").textContent = `${summary.path} · created ${summary.created} · searcher ${searcher ?? "–"} · scheduler ${scheduler ?? "–"} · seed ${seed ?? "–"} · ${duration(summary.now)}`;
}

async function start() {
  // The token came in the address, and is in a cookie now: it should not stay where it can be seen and copied.
  if (location.search.includes("token=")) history.replaceState(null, "", location.pathname + location.hash);
  theme();
  if (runId) {
    return showRun();
  }
  const { runs: found, is_one: isOne } = await ask("/api/runs");
  if (isOne && found.length) { location.replace(`/run/${encodeURIComponent(found[0].id)}`); return; }
  return runs(main);
}

start().catch((error) => problem(error.message));
