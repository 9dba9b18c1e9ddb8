// Elements and words. Names come from users: they are only ever set as text.

export function el(tag, given = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "width%") node.style.width = `${value}%`;
    else if (name === "left%") node.style.left = `${value}%`;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const byId = (id) => document.getElementById(id);

export function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en");
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(digits - 1).replace(/\.?0+e/, "e");
  return Number(value.toPrecision(digits)).toLocaleString("en", { maximumSignificantDigits: digits });
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return seconds === 0 ? "0 s" : `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

// As a clock: for axes, where there is little room.
export function clock(seconds) {
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  const whole = Math.round(seconds), hours = Math.floor(whole / 3600), two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(Math.floor((whole % 3600) / 60))} h` : `${Math.floor(whole / 60)}:${two(whole % 60)}`;
}

// A process drives the run.
export const isActive = (state) => state === "running" || state === "paused";

export const settingsOf = (config) => Object.entries(config).map(([name, value]) => `${name}=${number(value)}`).join("  ");

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;

// A chart for those who do not see it: the same numbers as a table, made when it is opened.
export function asTable(label, make) {
  const box = el("details", { class: "asTable" }, el("summary", {}, label));
  box.addEventListener("toggle", () => {
    box.querySelector(".scroll")?.remove();
    if (!box.open) return;
    const [head, rows] = make();
    const body = rows.slice(0, 500).map((row) => el("tr", {}, row.map((cell) => el("td", {}, number(cell)))));
    const table = el("table", {}, el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, body));
    box.append(el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table));
  });
  return box;
}

export function section(id, title, ...children) {
  const note = el("span", { class: "note" }), right = el("span", { class: "right" });
  const head = el("div", { class: "head" }, el("h2", { id: `${id}-title` }, title), note, right);
  const node = el("section", { id, "aria-labelledby": `${id}-title` }, head, ...children);
  return { node, note, right };
}
