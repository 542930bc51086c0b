// The page: its buttons and keys, and what happens when the state changes.

import { labelNames } from "./api.js";
import { around, close, update as updateContext } from "./context.js";
import { button, counted, find, make, say } from "./dom.js";
import { update as updateLabels } from "./labels.js";
import { record } from "./lines.js";
import { Pane } from "./pane.js";
import { change, clock, is, start, state, toMs } from "./state.js";
import { update as updateStatus } from "./status.js";

const first = new Pane("q", "");
const second = new Pane("q2", " of the second column");
let active = first;  // which list the reader uses
let pane = first;    // and which column
const panes = () => (is("beside") ? [first, second] : [first]);

find("query").append(first.box.element);
second.element.prepend(second.box.element);
find("panes").prepend(first.element, second.element);

for (const [element, reader] of [[find("context"), around], [first.element, first], [second.element, second]]) {
  for (const type of ["pointerdown", "focusin", "wheel"]) {
    element.addEventListener(type, () => {
      active = reader;
      if (reader !== around) pane = reader;
    }, { passive: true });
  }
  // The columns scroll together, by time.
  reader.scrolled = () => {
    const ms = reader.list.firstVisible()?.ms;
    if (ms && reader === pane && is("beside")) (reader === first ? second : first).showTime(ms);
  };
}

const toggle = (name, step = false) => () => change({ [name]: is(name) ? "0" : "1" }, { step });
const onCursor = (call) => () => active.list.has(active.list.cursor) && active.act[call]?.(active.list.cursor);
const edge = (name) => () => active.letIn?.(active.list.stick(name));

function pause() {
  first.paused = second.paused = !first.paused;
  panes().forEach((one) => one.letIn());
  show();
}

function download() {
  const href = URL.createObjectURL(new Blob(pane.lines.inTime().map((item) => record(item) + "\n")));
  make("a", { download: `weir-${clock(Date.now()).slice(0, 19).replace(/\D/g, "")}.jsonl`, href }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
  say(counted(pane.lines.size, "record") + " saved");
}

// key: [what it does, the call, the text of its button, the state that the button shows]
const KEYS = {
  b: ["labels", toggle("labels", true), "Labels", "labels"],
  w: ["wrap", toggle("wrap"), "Wrap", "wrap"],
  r: ["raw", toggle("raw"), "Raw", "raw"],
  f: ["JSON as fields", toggle("fields"), "Fields", "fields"],
  v: ["two", () => change({ beside: is("beside") ? "0" : "1", q2: state.q2 || state.q }), "Two columns", "beside"],
  t: ["table", toggle("table"), "Table", "table"],
  l: ["follow", toggle("live"), "Live", "live"],
  " ": ["pause", pause, "Pause"],
  d: ["jsonl", download, "Download"],
  s: ["spool", () => find("spool").showModal(updateStatus()), "Status"],
  "?": ["keys", () => find("keys").showModal(), "Keys"],
  "/": ["write the query", () => find("q").focus()],
  j: ["next (\u2193)", () => active.step(1)],
  k: ["line before (\u2191)", () => active.step(-1)],
  n: ["next error", () => active.jump(1)],
  p: ["last error", () => active.jump(-1)],
  g: ["first line (Home)", edge("start")],
  G: ["last line (End)", edge("end")],
  o: ["fields (Enter)", onCursor("toggle")],
  x: ["unfold a trace", onCursor("unfold")],
  c: ["context of the line", onCursor("context")],
  2: ["this log beside", onCursor("beside")],
  ".": ["new lines", () => pane.letIn(true)],
  h: ["histogram: \u2190 \u2192 shift Enter", () => pane.plot.area.focus()],
  Esc: ["close; leave the query"],
};
const idOf = (label) => label.split(" ")[0].toLowerCase() + "-button";
const ALSO = { Enter: "o", Home: "g", End: "G", ArrowDown: "j", ArrowUp: "k" };

for (const [key, [text, onclick, label]] of Object.entries(KEYS)) {
  const name = key === " " ? "Space" : key;
  find("key-table").append(make("tr", {}, make("th", { scope: "row" }, make("kbd", {}, name)), make("td", {}, text)));
  if (label) find("tools").append(button(label, onclick, { id: idOf(label), title: `${text} (${name})` }));
}

addEventListener("keydown", (event) => {
  const { key, target } = event;
  const call = KEYS[ALSO[key] ?? key]?.[1];
  if (event.ctrlKey || event.altKey || event.metaKey || target.closest("dialog")) return;
  if (key === "Escape" && state.ctx) first.list.rows.get(first.list.cursor)?.focus(close());
  else if (key === "Escape" && is("labels")) change({ labels: "0" });
  else if (target.closest("input,textarea,select") || (/^(Enter| )$/.test(key) && target.closest("button,summary"))) return;
  else if (/^Page/.test(key)) active.step(key === "PageUp" ? -20 : 20);
  else if (call) call();
  else return;
  event.preventDefault();
});

const changed = (id, call) => (find(id).onchange = ({ target }) => call(target.value.trim()));
const typed = (id) => find(id).value && new Date(find(id).value + (is("utc") ? "Z" : "")).getTime() + "000000";
find("run").onclick = () => panes().forEach((one) => one.ask());
for (const id of ["order", "tenant"]) changed(id, (value) => change({ [id]: value }));
changed("limit", (limit) => change({ limit, at: first.list.firstVisible()?.ts ?? "" }));  // what one reads stays in sight
changed("utc", toggle("utc"));
changed("custom", () => change({ from: typed("from"), to: typed("to"), at: "" }));
changed("range", (value) => (value === "custom" ? (find("custom").hidden = false) : change({ from: value, to: "", at: "" })));

// The controls show the state.
function show() {
  for (const [, , label, name] of Object.values(KEYS)) if (name) find(idOf(label)).ariaPressed = is(name);
  find("pause-button").ariaPressed = first.paused;
  find("pause-button").hidden = !is("live");
  for (const id of ["limit", "order", "tenant"]) find(id).value = state[id];
  find("utc").checked = is("utc");
  find("range").value = state.to ? "custom" : state.from;
  find("custom").hidden = find("range").value !== "custom";
  for (const id of ["from", "to"]) find(id).value = /^\d+$/.test(state[id]) ? clock(toMs(state[id])).replace(" ", "T") : "";
  second.element.hidden = !is("beside");
  find("panes").classList.toggle("two", is("beside"));
  document.body.classList.toggle("wrap", is("wrap"));
  document.title = (state.q && state.q + " \u2013 ") + "weir";
}

start((names) => {
  const has = (...some) => some.some((one) => names.has(one));
  const all = has("from", "to", "limit", "tenant");
  const looks = has("wrap", "raw", "fields", "utc");
  show();
  if (all || has("q")) first.run();
  if (is("beside") && (all || has("q2", "beside"))) second.run();
  for (const one of panes()) {
    if (has("order")) one.show(true, (one.list.edge = one.edge));
    if (has("table")) one.chart.draw();
    if (looks) one.list.redraw();
    if (has("live")) one.live(is("live"));
  }
  if (!is("beside")) second.live(false);
  if (looks) around.list.redraw();
  if (has("ctx", "cq", "cb", "ca", "order")) updateContext();
  if (has("labels", "tenant")) updateLabels();
});

show();
panes().forEach((one) => one.run());
updateContext();
updateLabels();
labelNames().then((names) => (first.labels = second.labels = names), () => {});
