// Failures, grouped by message.

import { askRun } from "./api.js";
import { el, number, plural, section } from "./dom.js";

export function failures(open) {
  const list = el("ul", { class: "list" });
  const { node, note } = section("failures", "What failed?", el("div", { class: "card" }, list));
  async function load() {
    const groups = await askRun("failures");
    const total = groups.reduce((sum, { count }) => sum + count, 0);
    note.textContent = total ? plural(total, "trial") + " with an error" : "";
    list.replaceChildren(...groups.map(({ message, count, first, ended, kinds }) => el("li", {}, el("button", { type: "button", onclick: () => open(first) }, el("strong", { class: "bad" }, `${number(count)} ×`), el("span", { class: "cut", title: message }, message), el("span", { class: "soft" }, `${kinds > 1 ? `${kinds} like this, ` : ""}${ended < count ? `${count - ended} tried again with success, ` : ""}first in trial ${first}`)))));
    if (!groups.length) list.replaceChildren(el("li", { class: "empty" }, "no trial has failed"));
  }
  return { node, show() {}, load };
}
