// The lines around one of them, of the same log: beside the list, with a filter, and with more of them on both sides.

import { context } from "./api.js";
import { button, counted, find, make, say } from "./dom.js";
import { Lines } from "./lines.js";
import { quote } from "./logql.js";
import { Reader } from "./reader.js";
import { change, state } from "./state.js";

export const close = () => change({ ctx: "", cq: "", cb: "30", ca: "30" });

const more = (name, text) => button(text, () => change({ [name]: String(state[name] * 2) }));
const filter = make("input", { type: "search", placeholder: "only lines with \u2026", "aria-label": "Only lines with", onchange: () => change({ cq: filter.value }) });

export const around = new Reader("Context");
around.whole = true;  // nothing folds
find("context").append(make("header", {}, filter, more("cb", "More before"), more("ca", "More after"),
  button("\u2715", close, { "aria-label": "Close the context" })), around.feed);

let request = null;

export async function update() {
  request?.abort();
  const opens = find("context").hidden;
  find("context").hidden = !state.ctx;
  filter.value = state.cq;
  if (!state.ctx) return;
  const { signal } = (request = new AbortController());
  const { ts, labels } = JSON.parse(state.ctx);
  const lines = new Lines();
  const stream = lines.stream(labels);
  try {
    const { before, after } = await context({ ts, stream: JSON.stringify(labels), before: state.cb, after: +state.ca + 1, query: state.cq && "|= " + quote(state.cq) }, signal);
    for (const one of [...before, ...after]) lines.newer.push({ ...lines.item(one, stream), here: one.ts === ts });
    around.lines = lines;
    around.show(true);
    around.select(lines.newer.find(({ here }) => here), { focus: opens, middle: true });
    say(counted(lines.size, "line") + " of context");
  } catch (error) {
    if (!signal.aborted) say(`cannot show the context: ${error.message}`);
  }
}
