// Where answers come from: the server, or, in a saved page, the answers that were saved with it.

const saved = document.getElementById("saved");
export const isSaved = saved !== null;
const answers = isSaved ? JSON.parse(saved.textContent) : null;

export const runId = isSaved ? answers.run : decodeURIComponent(location.pathname.split("/")[2] ?? "");

export async function ask(path, given = {}) {
  if (isSaved) return fromSaved(path, given);
  const query = new URLSearchParams(given).toString();
  return told(await fetch(query ? `${path}?${query}` : path, { headers: { Accept: "application/json" } }));
}

export const askRun = (name, given) => ask(`/api/runs/${encodeURIComponent(runId)}/${name}`, given);

export const csvOf = (where) => `/api/runs/${encodeURIComponent(runId)}/csv?${new URLSearchParams(where ? { where } : {})}`;

export async function request(name, body) {
  const path = `/api/runs/${encodeURIComponent(runId)}/${name}`;
  return told(await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));
}

async function told(response) {
  const answer = await response.json().catch(() => ({ problem: `the server answered ${response.status}` }));
  if (!response.ok) throw new Error(answer.problem);
  return answer;
}

function fromSaved(path, given) {
  const name = path.split("/").slice(4).join("/");
  if (name === "trials") return savedTable(answers.trials, given);
  const answer = answers[name] ?? answers.details?.[name];
  if (answer === undefined) throw new Error("this was not saved with the page");
  return answer;
}

function savedTable(table, { sort, direction, offset = 0, limit = 50 }) {
  if (sort === undefined || (sort === table.sort && (direction || table.direction) === table.direction))
    return { ...table, rows: table.rows.slice(+offset, +offset + +limit) };
  const place = table.columns.findIndex((column) => column.name === sort), sign = direction === "desc" ? -1 : 1;
  const compare = (a, b) => (a === null) - (b === null) || (a < b ? -sign : a > b ? sign : 0);
  const rows = [...table.rows].sort((a, b) => compare(a[place], b[place]));
  return { ...table, sort, direction, rows: rows.slice(+offset, +offset + +limit) };
}
