// Which labels there are, and their values. Each is a switch that puts it into the query, and one that leaves it out.

import { labelNames, labelValues } from "./api.js";
import { button, find, make, say } from "./dom.js";
import { choiceOf, withChoice } from "./logql.js";
import { change, is, state } from "./state.js";
import { update as updateStatus } from "./status.js";

const MOST = 1000;  // values of a label
let request = null;
let shownFor = null;  // the tenant and the time
let query = "q";      // what the switches change

function switches(name, value) {
  const turn = (choice) => () => {
    const before = state[query] || "{}";
    change({ [query]: withChoice(before, name, value, choiceOf(before, name, value) === choice ? "" : choice), at: "", ctx: "" });
  };
  const take = button(value, turn("="), { class: "value" });
  const leave = button("\u2260", turn("!="), { "aria-label": `without ${name} ${value}`, title: "leave this value out" });
  const line = make("div", { class: "label-value" }, take, leave);
  line.show = () => {
    const choice = choiceOf(state[query], name, value);
    take.ariaPressed = choice === "=";
    leave.ariaPressed = choice === "!=";
  };
  line.show();
  return line;
}

// Shows the labels, or what the query `name` now has of them.
export async function update(name = query) {
  query = name;
  const box = find("labels");
  if (!is("labels")) {
    request?.abort();
    shownFor = null;
    box.hidden = true;
    return;
  }
  const mine = [state.tenant, state.from, state.to].join();
  if (shownFor === mine) return box.querySelectorAll(".label-value").forEach((line) => line.show());
  const opens = box.hidden;
  request?.abort();
  const { signal } = (request = new AbortController());
  shownFor = mine;
  box.hidden = false;
  const lists = make("div", { class: "lists" });
  const search = () => {
    for (const list of lists.children) {
      const hits = list.values.filter((value) => value.includes(filter.value)).length;
      list.hidden = !hits;
      list.number.textContent = filter.value ? `${hits} of ${list.values.length}` : String(list.values.length);
      list.querySelectorAll(".label-value").forEach((line) => (line.hidden = !line.firstChild.textContent.includes(filter.value)));
    }
  };
  const filter = make("input", { type: "search", placeholder: "find a value", "aria-label": "Find a value", oninput: search });
  box.replaceChildren(make("header", {}, make("h2", {}, "Labels"), filter, button("\u2715", () => change({ labels: "0" }), { "aria-label": "Close the labels" })), lists);
  if (opens) filter.focus();
  try {
    await updateStatus();  // of which time there are records
    for (const label of await labelNames(signal)) {
      const values = await labelValues(label, "", signal);
      const number = make("span", { class: "dim" }, String(values.length));
      const list = make("details", { open: values.length < 20 && "" }, make("summary", {}, `${label} `, number),
        values.slice(0, MOST).map((value) => switches(label, value)), values.length > MOST && "and more");
      lists.append(Object.assign(list, { values, number }));
    }
    search();
  } catch (error) {
    if (signal.aborted) return;
    shownFor = null;
    say(`cannot read the labels: ${error.message}`);
  }
}
