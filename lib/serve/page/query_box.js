// Where a query is written: completion below it, and the place of an error.

import { labelNames, labelValues } from "./api.js";
import { make, say } from "./dom.js";
import { expected, otherMatchers, quote } from "./logql.js";

const STAGES = ["json", "logfmt", 'pattern "', 'regexp "', 'line_format "{{', "label_format ", "drop ", "keep ", "unwrap "];
const OFFERS = {
  next: ['|= "', '!= "', '|~ "', '!~ "', ...STAGES.map((stage) => "| " + stage)],
  function: [..."sum avg max min count".split(" ").map((name) => name + " by ("), `topk(10, `, `quantile_over_time(0.99, `, "rate(", "bytes_rate(",
    ..."count bytes sum avg max min".split(" ").map((name) => name + "_over_time(")],
  label: () => labelNames(),
  start: async () => (await labelNames()).map((name) => `{${name}="`),
  value: ({ label }, text) => labelValues(label, otherMatchers(text, label)),
  stage: (place, text, fields) => [...STAGES, ...fields()],
  field: async (place, text, fields) => [...new Set([...fields(), ...(await labelNames())])],
};

export class QueryBox {
  items = [];
  chosen = -1;

  // run(): the text is to be asked for. fields(): names of fields that were seen.
  constructor(id, label, run, fields) {
    this.fields = fields;
    this.input = make("textarea", {
      id, rows: 1, spellcheck: "false", autocomplete: "off", placeholder: '{app="…"} |= "…"', role: "combobox", "aria-label": label,
      "aria-expanded": false, "aria-autocomplete": "list", "aria-controls": id + "-list", "aria-describedby": id + "-error", onblur: () => this.close(),
      oninput: () => {
        this.clear();
        this.complete();
      },
      onkeydown: (event) => {
        const { key } = event;
        const step = { ArrowDown: 1, ArrowUp: -1 }[key];
        if (key === " " && event.ctrlKey) this.complete();
        else if (step && this.items.length) this.choose((Math.max(this.chosen + step, step - 1) + this.items.length) % this.items.length);
        else if (/^(Enter|Tab)$/.test(key) && this.chosen >= 0) this.accept(this.items[this.chosen]);
        else if (key === "Tab" && !event.shiftKey && this.items.length) this.accept(this.items[0]);
        else if (key === "Enter" && !event.shiftKey) run(this.close());
        else if (key === "Escape") this.items.length ? this.close() : this.input.blur();
        else return;
        event.preventDefault();
        event.stopPropagation();
      },
    });
    this.list = make("ul", { id: id + "-list", role: "listbox", "aria-label": "Completions", hidden: "" });
    this.error = make("pre", { id: id + "-error", class: "error", role: "alert", hidden: "" });
    this.element = make("div", { class: "query-box" }, this.input, this.list, this.error);
  }

  get value() {
    return this.input.value.trim();
  }

  set value(text) {
    if (text !== this.value) this.input.value = text;
    this.clear();
  }

  clear() {
    this.error.hidden = true;
    this.input.ariaInvalid = null;
    this.input.style.height = "";
    this.input.style.height = this.input.scrollHeight + 2 + "px";
  }

  async complete() {
    const { value, selectionStart: caret } = this.input;
    const place = (this.place = expected(value.slice(0, caret)));
    const offers = OFFERS[place?.kind] ?? [];
    const all = await Promise.resolve(Array.isArray(offers) ? offers : offers(place, value, this.fields)).catch(({ message }) => {
      say(`cannot read what fits here: ${message}`);
      return [];
    });
    if (place !== this.place || document.activeElement !== this.input) return;
    const word = place?.prefix.toLowerCase() ?? "";
    const rank = (item) => item.toLowerCase().startsWith(word);
    this.open(all.filter((item) => item.toLowerCase().includes(word) && item !== place.prefix).sort((a, b) => rank(b) - rank(a)).slice(0, 50));
  }

  open(items) {
    this.items = items;
    this.chosen = -1;
    this.list.replaceChildren(...items.map((item, i) => make("li", {
      role: "option", id: `${this.input.id}-${i}`, "aria-selected": false, onpointerdown: (event) => this.accept(item, event.preventDefault()),
    }, item)));
    this.list.hidden = !items.length;
    this.input.ariaExpanded = items.length > 0;
    this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    this.place = null;
    this.open([]);
  }

  choose(i) {
    const { children } = this.list;
    if (children[this.chosen]) children[this.chosen].ariaSelected = false;
    this.chosen = i;
    children[i].ariaSelected = true;
    children[i].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", children[i].id);
  }

  accept(item) {
    const { kind, from, quoted } = this.place;
    const { value, selectionStart: caret } = this.input;
    let rest = value.slice(caret);
    let text = kind === "label" ? item + '="' : item;
    if (kind === "value") {
      rest = rest.replace(/^"/, "");
      text = quote(item).slice(quoted ? 1 : 0) + (rest.includes("}") ? "" : "} ");
    }
    this.input.value = value.slice(0, from) + text + rest;
    this.input.setSelectionRange(from + text.length, from + text.length);
    this.clear();
    this.complete();
  }

  // The line of the query with the place marked, what is wrong there, and what to do.
  fail({ message, hint, line, col }, query) {
    if (query !== this.value) line = 0;  // somebody writes on, so that the place is another one
    const lines = this.input.value.split("\n");
    const text = lines[line - 1];
    let at = Math.min(col - 1, text?.length ?? 0);
    let length = 1;
    const place = text !== undefined && col > 0;
    // The parser takes a stage that is misspelt for a label, and misses its comparison behind it.
    const stage = place && /unexpected (\||\$end|RANGE|\))/.test(message) && /\|\s*(\w+)\s*$/.exec(text.slice(0, at));
    if (stage && !STAGES.some((one) => one.split(" ")[0] === stage[1])) [at, length] = [at - stage[0].length + stage[0].indexOf(stage[1]), stage[1].length];
    this.error.replaceChildren(make("span", {}, place && [text.slice(0, at), make("mark", {}, text.slice(at, at + length) || "\u00a0"), text.slice(at + length), "\n" + " ".repeat(at) + "^ "],
      message, !/\^$/.test(hint) && hint && "\n" + hint));
    this.error.hidden = false;
    this.input.ariaInvalid = true;
    const caret = lines.slice(0, line - 1).join("\n").length + (line > 1) + at;
    if (place && document.activeElement === this.input) this.input.setSelectionRange(caret, caret);
  }
}
