// One line: its row in the list, and the fields that unfold below it.

import { button, bytes, coloured, counted, make, visible } from "./dom.js";
import { fieldsOf, jsonFields } from "./lines.js";
import { clock, is } from "./state.js";

const MOST = 1000;        // characters of a line in the list
const MOST_OPEN = 20000;  // and where it is unfolded, until one asks for all

export const levelClass = (level) => "level-" + (/^(error|critical|fatal|warn|info|debug|trace)/.exec(level)?.[0] ?? "none");

let down = false;  // a pointer is, on a row
for (const type of ["pointerup", "pointercancel"]) addEventListener(type, () => (down = false));

// Has the row the height of one line, whatever its text is?
export const isFixed = (item) => !is("wrap") && !item.open && !item.unfolded;

// JSON as people read it: the message first, then the other fields.
function sentence(fields, marks) {
  const text = ([, value]) => visible(value.slice(0, MOST), { marks });
  const message = fields.find(([name]) => /^(msg|message)$/.test(name));
  return [message ? text(message) : [], fields.filter((one) => one !== message && !/^(level|ts|time|timestamp)$/.test(one[0]))
    .map((one) => [" ", make("span", { class: "dim" }, one[0] + "="), text(one)])].flat(3);
}

// act: what clicks do. marks: what to highlight. dates: the day stands before the time.
export function row(item, { act, marks, dates }) {
  const { line, level, open, stream } = item;
  const raw = is("raw");
  const first = item.unfolded ? line : line.split("\n", 1)[0];
  const most = item.whole ? Infinity : open ? MOST_OPEN : MOST;
  const fields = is("fields") && !raw && jsonFields(line);
  const folded = item.fold + (item.unfolded ? 0 : line.split("\n").length - 1);
  const stop = (call) => (event) => call(item, event.stopPropagation());
  const letter = level === "unknown" ? "" : level.slice(0, 1).toUpperCase();
  return make("article", { class: `row ${levelClass(level)}${item.frame ? " frame" : ""}${open ? " open full" : item.unfolded ? " full" : ""}${item.here ? " here" : ""}`, tabindex: -1,
    // A pointer that goes down may be there to select text: what it is for is seen when it is up.
    onpointerdown: () => (down = true), onfocus: () => down || act.select(item), onclick: () => getSelection().isCollapsed && act.select(item) },
    make("div", { class: "row-line", onclick: () => getSelection().isCollapsed && act.toggle(item, act.select(item)) },
      make("span", { class: "letter", title: level, role: letter ? "img" : null, "aria-label": letter ? level : undefined }, letter),
      button(clock(item.ms).slice(dates ? 0 : 11), stop(act.toggle), { class: "time", tabindex: -1, "aria-expanded": Boolean(open), title: clock(item.ms) + "\n" + item.ts }),
      stream.name && !raw && coloured(stream.hue, make("span", { class: "source", title: stream.name }, stream.name)),
      (folded > 0 || item.unfolded) && button(item.unfolded ? "fold" : `+ ${counted(folded, "line")}`, stop(act.unfold), { class: "fold", tabindex: open ? 0 : -1, "aria-expanded": Boolean(item.unfolded) }),
      line.length > MOST && !open && make("span", { class: "dim" }, bytes(line.length) + " "),
      make("span", { class: "text" }, fields ? sentence(fields, marks) : visible(first.slice(0, most), { marks, raw }))),
    open && details(item, act));
}

function details(item, act) {
  const { metadata, parsed, line } = item;
  const [kind, fields] = fieldsOf(line);
  const groups = [["Labels", Object.entries(item.stream.labels)], ["Metadata", Object.entries(metadata)], ["Parsed", Object.entries(parsed)],
    [kind, fields.filter(([name]) => !Object.hasOwn(parsed, name))]];
  const filter = (kind, name, op, value) => button(op === "=" ? "=" : "\u2260", () => act.filter(kind, name, op, value),
    { title: `only lines ${op === "=" ? "with" : "without"} this value`, "aria-label": `${name} ${op} ${value.slice(0, 80)}` });
  return make("div", { class: "details" },
    make("div", { class: "actions" },
      act.context && [button("Context", () => act.context(item)), button("Beside", () => act.beside(item))],
      button("Copy", () => act.copy(item)),
      line.length > MOST_OPEN && !item.whole && button(`Show all ${bytes(line.length)}`, () => act.whole(item))),
    make("table", {}, groups.filter(([, fields]) => fields.length).map(([kind, fields]) => make("tbody", {},
      make("tr", {}, make("th", { colspan: 3, scope: "rowgroup" }, kind)),
      fields.map(([name, value]) => make("tr", {}, make("td", { class: "do" }, act.filter && /^[a-z_]\w*$/i.test(name) && [filter(kind, name, "=", value), filter(kind, name, "!=", value)]),
        make("th", { scope: "row" }, name), make("td", { class: "value" }, value.slice(0, 2000), value.length > 2000 && "\u2026")))))));
}
