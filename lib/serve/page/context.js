// The lines around one of them, of the same log: beside the list, with a filter, and with more of them on both sides.

import { context } from "./api.js";
import { button, counted, find, labelSpans, make, say } from "./dom.js";
import { Lines, identity } from "./lines.js";
import { quote } from "./logql.js";
import { Reader } from "./reader.js";
import { change, state } from "./state.js";

export const close = () => change({ ctx: "", cq: "", cb: "30", ca: "30" });

const extend = (name, text, label) => button(text, () => change({ [name]: String(state[name] * 2) }, { step: false }), { "aria-label": label, title: label });
const before = extend("cb", "More \u2191", "More lines before");
const after = extend("ca", "More \u2193", "More lines after");
const filter = make("input", { type: "search", placeholder: "only lines with \u2026", "aria-label": "Only lines with", onchange: () => change({ cq: filter.value }) });
const whose = make("div", { class: "shared" });

export const around = new Reader("Context");
around.whole = true;  // nothing folds
find("context").append(make("header", {}, filter, before, after, button("\u2715", close, { "aria-label": "Close the context" })), whose, around.feed);

let request = null;
let shownFor = "";  // the line and the filter of what is shown

export async function update() {
  request?.abort();
  const opens = find("context").hidden;
  find("context").hidden = !state.ctx;
  filter.value = state.cq;
  if (!state.ctx) return;
  const { signal } = (request = new AbortController());
  const lines = new Lines();
  try {
    const { ts, labels } = JSON.parse(state.ctx);
    const stream = lines.stream(labels);
    whose.replaceChildren(...labelSpans(Object.entries(labels)));
    const found = await context({ ts: BigInt(ts), stream: JSON.stringify(labels), before: state.cb, after: +state.ca + 1, query: state.cq && "|= " + quote(state.cq) }, signal);
    // Where it is extended, the lines that are there stay as they are.
    const same = !opens && shownFor === state.ctx + state.cq;
    const known = new Map(same ? around.lines.newer.map((item) => [identity(item), item]) : []);
    for (const one of [...found.before, ...found.after]) {
      const item = { ...lines.item(one, stream), here: one.ts === ts };
      lines.newer.push(known.get(identity(item)) ?? item);
      known.delete(identity(item));
    }
    shownFor = state.ctx + state.cq;
    before.disabled = !found.more_before;
    after.disabled = !found.more_after;
    around.lines = lines;
    around.show(!same);
    if (!same) around.select(lines.newer.find(({ here }) => here), { focus: opens, middle: true });
    say(counted(lines.size, "line") + " of context");
  } catch (error) {
    if (!signal.aborted) say(`cannot show the context: ${error.message}`);
  }
}
