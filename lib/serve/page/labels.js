// Which labels there are, and their values: each is a switch that puts it into the query.

import { labelNames, labelValues } from "./api.js";
import { button, find, make, say } from "./dom.js";
import { hasMatcher, withMatcher } from "./logql.js";
import { change, is, state } from "./state.js";

export async function update() {
  const opens = find("labels").hidden;
  find("labels").hidden = !is("labels");
  if (!opens || !is("labels")) return;
  const lists = make("div", { class: "label-lists" });
  const filter = make("input", {
    type: "search", placeholder: "find a value", "aria-label": "Find a value",
    oninput: () => lists.querySelectorAll("button").forEach((one) => (one.hidden = !one.textContent.includes(filter.value))),
  });
  find("labels").replaceChildren(make("header", {}, make("h2", {}, "Labels"), filter, button("\u2715", () => change({ labels: "0" }), { "aria-label": "Close the labels" })), lists);
  filter.focus();
  try {
    for (const name of await labelNames()) {
      const values = await labelValues(name);
      lists.append(make("details", { open: values.length < 20 && "" }, make("summary", {}, name), values.slice(0, 1000).map((value) => button(value, ({ currentTarget }) => {
        change({ q: withMatcher(state.q, name, hasMatcher(state.q, name, value) ? "" : "=", value), at: "" });
        for (const one of currentTarget.parentNode.children) one.ariaPressed = one === currentTarget && hasMatcher(state.q, name, value);
      }, { "aria-pressed": hasMatcher(state.q, name, value) }))));
    }
  } catch (error) {
    say(`cannot read the labels: ${error.message}`);
  }
}
