// The page: its buttons and keys, and what happens when the state changes.

import { around, close, update as updateContext } from "./context.js";
import { button, copy, counted, find, make, named, say } from "./dom.js";
import { update as updateLabels } from "./labels.js";
import { record } from "./lines.js";
import { Pane } from "./pane.js";
import { isMetric } from "./logql.js";
import { change, clock, is, link, range, start, state, toMs, unread } from "./state.js";
import { update as updateStatus } from "./status.js";

const first = new Pane("q", "");
const second = new Pane("q2", " of the second column");
let active = first;  // which list the reader uses
let pane = first;    // and which column
const panes = () => (is("beside") ? [first, second] : [first]);

second.element.prepend(second.box.element);
find("panes").prepend(first.element, second.element);

for (const [element, reader] of [[find("context"), around], [first.element, first], [second.element, second]]) {
  for (const type of ["pointerdown", "focusin", "wheel"]) {
    element.addEventListener(type, () => {
      active = reader;
      if (reader === around || reader === pane) return;
      pane = reader;
      updateLabels(pane.name);
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
// The first or the last line has the cursor then. Who goes to the newest one wants the new ones too: the keyboard's focus would hold them.
const edge = (name) => () => {
  const { list } = active;
  const follows = name === active.edge && isLive();
  list.setCursor(list.items.at(name === "start" ? 0 : -1), { focus: !follows });
  list.stick(name);
  if (follows && !active.paused) active.letIn(true);
};

// A range that has ended gets no new lines, so that it is left.
const mayLive = () => panes().some((one) => !isMetric(one.query));
const isLive = () => is("live") && !state.to && mayLive();
const NO_LIVE = "the values of a metric query do not follow new lines: run it again";
const live = () => !mayLive() ? say(NO_LIVE) : change({ live: isLive() ? "0" : "1", ...(state.to && { from: "", to: "", at: "" }) }, { step: Boolean(state.to) });

function pause(on = !first.paused) {
  first.paused = second.paused = on;
  panes().forEach((one) => one.letIn());
  show();
}
first.goOn = second.goOn = () => first.paused && pause(false);

function download() {
  if (!pane.lines.size) return say("there are no lines to save");
  const href = URL.createObjectURL(new Blob(pane.lines.inTime().map((item) => record(item) + "\n")));
  make("a", { download: `weir-${clock(Date.now()).slice(0, 19).replace(/\D/g, "")}.jsonl`, href }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
  say(counted(pane.lines.size, "record") + " saved" + (pane.more ? "; more lines match: read older ones (e) or more lines at once, and save again" : ""));
}

// A link that opens this view as it is now: with times that stay, at the line with the cursor or the first that is seen.
function copyLink() {
  const { list, lines, start, end } = first;
  const line = list.has(list.cursor) ? list.cursor : list.isAt(first.edge) ? null : list.firstVisible();
  const last = lines.newest && BigInt(lines.newest.ts) > end ? lines.newest.ts : String(end);
  copy(link({ ...(start !== null && !state.to && { from: String(start), to: last }), live: "0", at: line?.ts ?? state.at }), "link");
}

// [key, what it does, the call, its button, the state that the button shows]
const KEYS = [
  ["/", "write the query", () => find("q").focus()],
  ["b", "labels and their values", toggle("labels", true), "Labels", "labels"],
  ["l", "follow new lines", live, "Live", "live"],
  [" ", "pause and go on", () => isLive() && pause(), "Pause"],
  [".", "show the new lines that wait", () => pane.letIn(true)],
  ["e", "read older lines", () => pane.readOlder()],
  ["j", "next line (also \u2193)", () => active.step(1)],
  ["k", "line before (also \u2191)", () => active.step(-1)],
  ["n", "next error", () => active.jump(1)],
  ["p", "error before", () => active.jump(-1)],
  ["g", "first line (also Home)", edge("start")],
  ["G", "last line (also End)", edge("end")],
  ["o", "fields of the line (also Enter)", onCursor("toggle")],
  ["x", "unfold the stack trace", onCursor("unfold")],
  ["c", "lines around this one", onCursor("context")],
  ["2", "its log in a second column", onCursor("beside")],
  ["y", "copy the line", onCursor("copy")],
  ["h", "histogram or chart: \u2190 \u2192 move, Shift selects, Enter zooms", () => pane.plot.area.focus()],
  ["w", "wrap long lines", toggle("wrap"), "Wrap", "wrap"],
  ["f", "JSON as fields", toggle("fields"), "Fields", "fields"],
  ["r", "lines as they are stored", toggle("raw"), "Raw", "raw"],
  ["t", "metrics as a table", toggle("table"), "Table", "table"],
  ["v", "two queries side by side", () => change({ beside: is("beside") ? "0" : "1", q2: state.q2 || state.q }), "Two columns", "beside"],
  ["u", "link to this view", copyLink, "Copy link"],
  ["d", "save as JSON lines", download, "Download"],
  ["s", "what the spool has", () => find("spool").showModal(updateStatus()), "Status"],
  [",", "tenant and time zone", () => find("settings").showModal(updateStatus()), "Settings"],
  ["?", "these keys", () => find("keys").showModal(), "Keys"],
  ["Tab", "in the query: take the suggestion that is marked (also Enter), or the first; Esc closes them"],
  ["Esc", "close what is open"],
];
const idOf = (label) => label.split(" ")[0].toLowerCase() + "-button";
const ALSO = { Enter: "o", Home: "g", End: "G", ArrowDown: "j", ArrowUp: "k" };

for (const [key, text, onclick, label] of KEYS) {
  const name = key === " " ? "Space" : key;
  find("key-table").append(named(make("kbd", {}, name), text));
  if (label) find("tools").append(button(label, onclick, { id: idOf(label), title: `${text} (${name})` }));
}

addEventListener("keydown", (event) => {
  const { key, target } = event;
  const call = KEYS.find(([one]) => one === (ALSO[key] ?? key))?.[2];
  if (event.ctrlKey || event.altKey || event.metaKey || target.closest("dialog")) return;
  if (key === "Escape" && state.ctx) pane.list.rows.get(pane.list.cursor)?.focus(close());
  else if (key === "Escape" && is("labels")) change({ labels: "0" });
  else if (target.closest("input,textarea,select") || (/^(Enter| )$/.test(key) && target.closest("button,summary"))) return;
  else if (key.length > 1 && target.closest(".chart-table,.lists")) return;  // they scroll
  else if (/^Page/.test(key)) active.step(key === "PageUp" ? -20 : 20);
  else if (call) call();
  else return;
  event.preventDefault();
});

const changed = (id, call) => (find(id).onchange = ({ target }) => call(target.value.trim()));
const forInput = (ns) => clock(toMs(ns)).replace(" ", "T");
const typed = (id) => find(id).value && new Date(find(id).value + (is("utc") ? "Z" : "")).getTime() + "000000";
find("run").onclick = () => panes().forEach((one) => one.ask());
// What stands in the boxes is asked for too.
const ask = (changed) => change({ q: first.typed, ...(is("beside") && { q2: second.typed }), ...changed });
changed("order", (order) => change({ order }));
changed("tenant", (tenant) => ask({ tenant, at: "", ctx: "" }));
changed("limit", (limit) => ask({ limit, at: first.list.isAt(first.edge) ? "" : first.list.firstVisible()?.ts ?? "" }));  // what one reads stays in sight
changed("utc", toggle("utc"));
changed("custom", () => ask({ from: typed("from"), to: typed("to"), at: "", live: "0" }));
changed("range", (value) => (value === "custom" ? showCustom() : ask({ from: value, to: "", at: "" })));
find("menu").onclick = () => (find("menu").ariaExpanded = document.body.classList.toggle("menu"));

// The times of what is shown now, to be changed.
function showCustom() {
  find("custom").hidden = false;
  for (const [id, ns] of [["from", range().start], ["to", range().end]]) find(id).value = forInput(ns);
  find("from").focus();
}

// The controls show the state.
function show() {
  for (const [, , , label, name] of KEYS) if (name) find(idOf(label)).ariaPressed = is(name);
  find("live-button").ariaPressed = isLive();
  find("live-button").disabled = !mayLive();
  find("live-button").title = mayLive() ? "follow new lines (l)" : NO_LIVE;
  find("unread").hidden = !unread.length;
  find("unread").textContent = `This link has parts that cannot be read: ${unread.map((text) => text.slice(0, 80)).join(", ")}. What is usual is shown in their place.`;
  find("pause-button").ariaPressed = first.paused;
  find("pause-button").hidden = !isLive();
  for (const id of ["limit", "order", "tenant"]) find(id).value = state[id];
  find("utc").checked = is("utc");
  const chosen = /^\d+$/.test(state.to || state.from) ? "custom" : state.from;
  find("range").value = chosen;
  if (!find("range").value && chosen) find("range").append(make("option", { value: chosen, selected: "" }, `last ${chosen}`));
  find("custom").hidden = chosen !== "custom";
  for (const id of ["from", "to"]) find(id).value = /^\d+$/.test(state[id]) ? forInput(state[id]) : "";
  second.element.hidden = !is("beside");
  // Each query stands above its column.
  const place = is("beside") ? first.element : find("query");
  if (first.box.element.parentNode !== place) place.prepend(first.box.element);
  find("panes").classList.toggle("two", is("beside"));
  document.body.classList.toggle("wrap", is("wrap"));
  document.title = (state.q && state.q + " \u2013 ") + "weir";
}

start((names) => {
  const has = (...some) => some.some((one) => names.has(one));
  const all = has("from", "to", "limit", "tenant");
  const looks = has("wrap", "raw", "fields", "utc");
  show();
  for (const one of [first, second]) if (has(one.name)) one.box.value = state[one.name];
  if (all || has("q")) first.run();
  if (is("beside") && (all || has("q2", "beside"))) second.run();
  for (const one of panes()) {
    if (has("order")) one.show(true, (one.list.edge = one.edge));
    if (has("table", "hide")) one.chart.draw();
    if (looks) one.list.redraw();
    if (has("live")) one.live(is("live"));
    if (has("live") && isLive()) one.list.stick(one.edge);
  }
  if (!isLive() && first.paused) pause(false);
  if (!is("beside")) {
    second.live(false);
    if (pane === second) pane = active = first;
  }
  if (looks) around.list.redraw();
  if (has("ctx", "cq", "cb", "ca", "order")) updateContext();
  if (has("ctx") && !state.ctx) isMetric(pane.query) ? say("") : pane.tell();
  if (has("labels", "tenant", "q", "q2", "from", "to")) updateLabels(pane.name);
});

show();
first.box.value = state.q;
second.box.value = state.q2;
panes().forEach((one) => one.run());
updateContext();
updateLabels();
