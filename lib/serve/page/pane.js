// One column: a query, its histogram and its lines, or its chart.
//
// Live lines never move what somebody reads: they come in only while the list stands at its newest edge, is not paused, and nobody
// has text selected, the pointer down, a line unfolded or the cursor on one. Until then they wait, and a button says how many.

import { metric, view } from "./api.js";
import { Chart } from "./chart.js";
import { button, count, counted, make, say } from "./dom.js";
import { Histogram } from "./histogram.js";
import { Lines, jsonFields } from "./lines.js";
import { hasStage, isMetric, marks, quote, withMatcher, withStage } from "./logql.js";
import { QueryBox } from "./query_box.js";
import { Reader } from "./reader.js";
import { change, is, range, state } from "./state.js";
import { update } from "./status.js";
import { follow } from "./tail.js";

const WAITING = 100000;  // live lines at most that wait
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];  // of metrics, in seconds

export class Pane extends Reader {
  histogram = new Histogram();
  chart = new Chart();
  shared = make("div", { class: "shared" });
  wait = button("", () => this.letIn(true), { class: "waiting", hidden: "" });
  waiting = [];
  lost = 0;
  paused = false;

  labels = [];  // the names of all

  // name: of its query in the state.
  constructor(name, label) {
    super("Lines" + label, {
      filter: (...given) => this.filter(...given), context: ({ ts, stream: { labels } }) => change({ ctx: JSON.stringify({ ts, labels }), cq: "" }),
      beside: ({ stream: { labels } }) => {
        const [key, value] = labels.pod ? ["pod", labels.pod] : Object.entries(labels)[0];
        change({ beside: "1", q2: withMatcher(state.q || "{}", key, "=", value) });
      },
    });
    this.name = name;
    this.box = new QueryBox(name, "Query" + label, () => this.ask(), () => this.fields());
    this.element = make("section", { class: "pane" }, this.histogram.element, this.chart.element, this.shared,
      make("div", { class: "pane-body" }, this.feed, this.wait));
    this.list.scrolled = () => {
      if (!this.list.edge && this.mayMove()) this.letIn();
      this.scrolled?.();
    };
    this.feed.onpointerdown = () => (this.held = true);
    addEventListener("pointerup", () => this.letIn((this.held = false)));
  }

  get query() {
    return state[this.name].trim() || "{}";
  }

  get edge() {
    return state.order === "top" ? "start" : "end";
  }

  get plot() {
    return (isMetric(this.query) ? this.chart : this.histogram).plot;
  }

  // What stands in the box is asked for, also when it is the same as before.
  ask() {
    this.box.value === state[this.name] ? this.run() : this.put(this.box.value);
  }

  put(query) {
    change({ [this.name]: query, at: "", ctx: "" });
  }

  async run() {
    this.request?.abort();
    this.live(false);
    const { signal } = (this.request = new AbortController());
    const metrics = isMetric(this.query);
    this.box.value = state[this.name];
    this.marks = marks(this.query);
    this.element.classList.toggle("metrics", metrics);
    this.feed.ariaBusy = true;
    const told = update();
    try {
      if (!state.from) await told;  // of "all there is": when it begins
      await (metrics ? this.runMetric(signal) : this.runLines(signal));
    } catch (error) {
      if (signal.aborted) return;
      this.histogram.progress(1);
      this.box.fail(error);
      say(error.message);
    }
    this.feed.ariaBusy = false;
    this.live(is("live"));
  }

  async runMetric(signal) {
    const { start, end } = range();
    const to = Number(end) / 1e9;
    const from = start ? Number(start) / 1e9 : to - 3600;
    const step = STEPS.find((one) => one >= (to - from) / 200) ?? Math.ceil((to - from) / 200);
    const [first, last] = [Math.floor(from / step) * step, Math.ceil(to / step) * step];
    const data = await metric({ query: this.query, start: first, end: last, step }, signal);
    this.chart.set(data, first, step, (last - first) / step + 1);
    say(`${data.result.length} series: a value every ${step} s`);
  }

  async runLines(signal) {
    const { start, end } = range();
    const streams = new Map();
    let lines = null;
    const begin = () => {
      if (lines) return;
      lines = this.lines = new Lines();
      Object.assign(this.list, { edge: this.edge, cursor: null });
      this.fresh = true;
    };
    this.histogram.progress(0);
    const { more, why } = await view({
      query: this.query, start, end: end + 1n, direction: "backward", buckets: 90, limit: state.limit,
    }, {
      stream: ({ id, labels }) => streams.set(id, (begin(), (this.named = false), lines.stream(labels))),
      line: (object) => {
        lines.older.push(lines.item(object, streams.get(object.s)));
        this.painting ??= setTimeout(() => this.show(), lines.size < 300 ? 0 : 150);
      },
      progress: ({ done, all }) => this.histogram.progress(Math.min(0.99, done / all || 0)),
      histogram: (object) => this.histogram.set(object, (level) => this.filter("", "detected_level", "=", level)),
    }, signal);
    begin();
    this.histogram.progress(1);
    this.show();
    say((lines.size ? counted(lines.size, "line") : "no lines: try a longer time or a shorter query") + (more ? " and older ones" : "") + (why && why !== "limit" ? ` (${why})` : ""));
    const item = this.name === "q" && lines.inTime().find(({ ts }) => ts === state.at);
    if (item) this.select(item, { focus: false, middle: true });
  }

  show(fresh = false) {
    clearTimeout(this.painting);
    this.painting = null;
    if (!this.named) {
      const names = () => [...this.lines.streams.values()].map(({ name }) => name).join("\n");
      const before = names();
      this.shared.replaceChildren(...this.lines.nameStreams().map(([name, value]) => make("span", {}, `${name}=`, make("b", {}, value))));
      this.fresh ||= before !== names();
      this.named = true;
    }
    super.show(fresh || this.fresh);
    this.fresh = false;
  }

  select(item, how) {
    super.select(item, how);
    if (this.name !== "q" || !item) return;
    clearTimeout(this.noting);
    this.noting = setTimeout(() => change({ at: item.ts }, { step: false, quiet: true }), 300);
  }

  filter(kind, name, op, value) {
    const query = state[this.name];
    if (kind === "Labels") return this.put(withMatcher(query, name, op, value));
    const parsed = kind === "JSON" && !hasStage(query, "json") ? withStage(query, "| json") : query;
    this.put(withStage(parsed, `| ${name}${op}${quote(value)}`));
  }

  fields() {
    const last = this.lines.inTime().slice(-200);
    return [...new Set(last.flatMap(({ metadata, parsed, line }) => [...Object.keys({ ...metadata, ...parsed }), ...(jsonFields(line) ?? []).map(([name]) => name)]))].sort();
  }

  // Scrolls to the lines of this moment.
  showTime(ms) {
    const item = this.list.items.find((one) => (state.order === "top" ? one.ms <= ms : one.ms >= ms));
    if (!item) return;
    this.list.edge = "";
    this.list.anchor = { item, away: 0 };
    this.list.layOut();
  }

  live(on) {
    if (on === Boolean(this.stop) || (on && isMetric(this.query))) return;
    this.stop = this.stop?.();
    this.waiting = [];
    this.lost = 0;
    this.letIn();
    if (!on) return;
    const since = this.lines.newest?.ts ?? String(range().end);
    this.stop = follow({
      query: this.query, since, seen: this.lines.older.filter(({ ts }) => ts === since).map((item) => ({ ...item, labels: item.stream.labels })),
      isLabel: (name) => !this.labels.length || this.labels.includes(name),
      got: (objects) => {
        this.waiting.push(...objects);
        this.lost += this.waiting.splice(0, this.waiting.length - WAITING).length;
        this.letIn();
      },
    });
    this.list.stick(this.edge);
  }

  mayMove() {
    const selection = getSelection();
    return !this.paused && !this.held && this.list.isAt(this.edge) && (selection.isCollapsed || !this.feed.contains(selection.anchorNode)) &&
      !this.list.focused() && ![...this.list.rows.keys()].some(({ open }) => open);
  }

  // `asked`: the reader wants the lines that wait, whatever is in the way.
  letIn(asked = false) {
    if (asked) {
      this.paused = false;
      this.feed.focus({ preventScroll: true });
    }
    if (this.waiting.length && (asked || this.mayMove())) {
      for (const object of this.waiting) {
        const known = this.lines.streams.size;
        const stream = this.lines.stream(object.labels);
        this.named &&= this.lines.streams.size === known;
        this.lines.addNewer(this.lines.item(object, stream));
      }
      this.waiting = [];
      this.list.edge = this.edge;
      this.show();
    }
    this.wait.hidden = !this.waiting.length;
    this.wait.textContent = counted(this.waiting.length, "new line") + (this.lost ? `, ${count(this.lost)} more were dropped` : "");
    this.wait.classList.toggle("top", this.edge === "start");
  }
}
