// One column: a query, its histogram and its lines, or its chart.
//
// Live lines never move what somebody reads: they come in while the list stands at its newest edge, is not paused, and nobody has text
// selected, the pointer down, a line unfolded or the cursor on one that is in sight. Until then they wait, and a button says how many.

import { metric, view } from "./api.js";
import { Chart } from "./chart.js";
import { button, count, counted, labelSpans, make, mention, say } from "./dom.js";
import { Histogram } from "./histogram.js";
import { Lines, MOST, fieldsOf, identity } from "./lines.js";
import { hasStage, isMetric, isPlainText, marks, quote, withMatcher, withStage, withoutComparison } from "./logql.js";
import { QueryBox } from "./query_box.js";
import { Reader } from "./reader.js";
import { MOST_DAYS, change, is, limited, now, range, spool, state, toMs } from "./state.js";
import { update } from "./status.js";
import { follow } from "./tail.js";

const MANY = 100000;  // lines at most of one answer, and of live lines that wait
const OFTEN = 200;    // milliseconds between two times that live lines come in
const FIGURES = 5000; // and between two times that the figures of the spool are asked for meanwhile
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];  // of metrics, in seconds

export class Pane extends Reader {
  histogram = new Histogram();
  chart = new Chart();
  shared = make("div", { class: "shared" });
  wait = button("", () => this.letIn(true), { class: "pill waiting", hidden: "" });
  further = button("Older lines", () => this.readOlder(), { class: "pill further", hidden: "" });
  note = make("p", { class: "note" });
  more = false;  // there are older lines than those that were read
  start = null;  // where the range of the query begins
  end = null;
  waiting = [];
  lost = 0;
  cameIn = 0;  // when live lines came in
  figures = 0;  // when the figures of the spool were asked for
  asked = 0n;  // when the query was
  paused = false;

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
      make("div", { class: "pane-body" }, this.feed, this.note, this.further, this.wait));
    this.list.scrolled = () => {
      if (!this.list.edge && this.mayMove()) this.letIn();
      if (this.list.isAt(this.oldEdge)) this.readOlder();
      this.showFurther();
      this.scrolled?.();
    };
    this.feed.onpointerdown = () => (this.held = true);
    for (const type of ["pointerup", "pointercancel"]) addEventListener(type, () => this.letIn((this.held = false)));
  }

  get query() {
    return state[this.name].trim() || "{}";
  }

  get edge() {
    return state.order === "top" ? "start" : "end";
  }

  get oldEdge() {
    return state.order === "top" ? "end" : "start";
  }

  get plot() {
    return (isMetric(this.query) ? this.chart : this.histogram).plot;
  }

  // The query in the box. Plain words are looked for.
  get typed() {
    const { value } = this.box;
    return isPlainText(value) ? `|= ${quote(value)}` : value;
  }

  // What stands in the box is asked for, also when it is the same as before.
  ask() {
    this.typed === state[this.name] ? this.run() : this.put(this.typed);
  }

  put(query) {
    change({ [this.name]: query, at: "", ctx: "", hide: "" });
  }

  async run() {
    this.request?.abort();
    clearTimeout(this.noting);
    this.live(false);
    const { signal } = (this.request = new AbortController());
    const metrics = isMetric(this.query);
    this.box.clear();
    this.marks = marks(this.query);
    this.element.classList.toggle("metrics", metrics);
    this.feed.ariaBusy = true;
    this.more = false;
    const told = update();
    this.asked = now();
    try {
      if (!state.from) await told;  // when "all there is" begins
      signal.throwIfAborted();
      Object.assign(this, metrics ? limited() : range());
      await (metrics ? this.runMetric(signal) : this.runLines(signal));
    } catch (error) {
      if (signal.aborted) return;
      this.fail(error);
      this.feed.ariaBusy = false;
      return;
    }
    if (signal.aborted) return;
    this.feed.ariaBusy = false;
    this.live(is("live"));
  }

  // What was shown before is no answer to this query.
  fail(error) {
    this.histogram.progress(1);
    if (!this.request.answers) {
      this.clear();
      this.histogram.clear();
      this.chart.clear();
    }
    this.note.textContent = "";
    this.show();
    this.box.fail(error, state[this.name]);
    say("");
  }

  clear() {
    this.lines = new Lines();
    this.named = false;
    Object.assign(this.list, { edge: this.edge, cursor: null });
    this.fresh = true;
    this.request.answers = true;
  }

  async runMetric(signal) {
    const to = Number(this.end) / 1e9;
    const from = this.start ? Number(this.start) / 1e9 : to - 3600;
    const step = STEPS.find((one) => one >= (to - from) / 200) ?? Math.ceil((to - from) / 200);
    const [first, last] = [Math.ceil(from / step) * step, Math.ceil(to / step) * step];
    const ns = (seconds) => BigInt(seconds) * 1000000000n;
    const data = await metric({ query: this.query, start: ns(first), end: ns(last), step }, signal);
    this.clear();
    this.chart.set(data, first, step, (last - first) / step + 1);
    const cut = this.cut ? `; of ${MOST_DAYS} days, which are the most of a metric query: choose other times to see more` : "";
    say((data.result.length ? `${data.result.length} series: a value every ${step} s` : `no values: try ${cut ? "another" : "a longer"} time`) + cut);
  }

  async runLines(signal) {
    this.histogram.progress(0);
    const { more, why } = await this.read({ start: this.start, end: this.end + 1n, limit: state.limit, buckets: 90 }, signal);
    if (!this.request.answers) this.clear();
    if (!this.request.counted) this.histogram.clear(this.query, this.turn);
    this.more = more;
    this.histogram.progress(1);
    this.show();
    this.tell(why);
    await this.reachCursor(signal);
  }

  // A level alone, or all again.
  turn = (stage) => {
    const others = withoutComparison(state[this.name], "detected_level");
    this.put(this.query.includes(stage) ? others : withStage(others, stage));
  };

  // Reads lines, the newest first, and puts those that are new behind the oldest one.
  read(given, signal, isNew = () => true) {
    const streams = new Map();
    const { request } = this;
    return view({ query: this.query, direction: "backward", ...given }, {
      stream: ({ id, labels }) => {
        if (!request.answers) this.clear();
        const known = this.lines.streams.size;
        streams.set(id, this.lines.stream(labels));
        this.named &&= this.lines.streams.size === known;
      },
      line: (object) => {
        const item = this.lines.item(object, streams.get(object.s));
        if (isNew(item)) this.lines.addOlder(item);
        this.painting ??= setTimeout(() => this.show(), this.lines.size < 300 ? 0 : 150);
      },
      progress: ({ done, all }) => this.histogram.progress(Math.min(0.99, done / all || 0)),
      histogram: (object) => {
        request.counted = true;
        this.histogram.set(object, this.query, this.turn);
      },
    }, signal);
  }

  get found() {
    return counted(this.lines.size, "line") + (this.more ? " and older ones (scroll to them or press e)" : "");
  }

  // Why there are no lines at all.
  get nothing() {
    if (spool.exists === false) return `the spool ${spool.path} ${spool.seen ? "is gone: it was deleted or moved" : "does not exist: nothing has been written yet, or it was deleted"}`;
    if (spool.records) return "";
    if (spool.tenants?.length && !spool.tenants.includes(state.tenant)) return `no records ${state.tenant ? `of tenant ${state.tenant}` : "without a tenant"}: choose another tenant in Settings`;
    return spool.records === 0 ? "this spool has no records yet" : "";
  }

  tell(why = "") {
    const { size } = this.lines;
    const because = why && why !== "limit" ? ` (${why})` : "";
    const text = size ? this.found + because : this.nothing ? `no lines: ${this.nothing}` : "no lines: try a longer time or a shorter query" + because;
    this.note.textContent = size ? "" : text;
    say(text);
  }

  // Reads older lines, back to `start`. What one reads does not move.
  async readOlder({ start = this.start, limit = Number(state.limit) } = {}) {
    const { request, lines } = this;
    const oldest = lines.older.at(-1);
    if (!this.more || this.reading === request || !oldest || lines.size >= MOST) return;
    this.reading = request;
    this.histogram.progress(0);
    // Of the oldest moment some lines are known, and others may not be.
    const known = lines.ofOldestMoment();
    const isNew = (item) => {
      const at = item.ts === oldest.ts ? known.indexOf(identity(item)) : -1;
      if (at >= 0) known.splice(at, 1);
      return at < 0;
    };
    if (this.list.edge === this.oldEdge) this.list.hold((this.list.edge = ""));
    const most = Math.min(limit + known.length, MANY);
    try {
      const { more } = await this.read({ start, end: BigInt(oldest.ts) + 1n, limit: most, buckets: 0 }, request.signal, isNew);
      this.more = more;
      this.tell();
    } catch (error) {
      if (!request.signal.aborted) say(`cannot read older lines: ${error.message}`);
    }
    if (this.reading === request) this.reading = null;
    if (request.signal.aborted) return;
    this.histogram.progress(1);
    this.show();
  }

  // A link may lead to an older line. Some lines before it are read too.
  async reachCursor(signal) {
    if (this.name !== "q" || !/^\d+$/.test(state.at)) return;
    const at = BigInt(state.at);
    const last = this.lines.older.at(-1);
    if (this.more && last && at < BigInt(last.ts) && at >= this.start) {
      await this.readOlder({ start: at, limit: MANY });
      this.more = true;
      await this.readOlder();
    }
    if (signal.aborted) return;
    const item = this.lines.inTime().find(({ ts }) => ts === String(at));
    if (item) this.select(item, { focus: false, middle: true });
    else say(`the line of this link is not among these ${counted(this.lines.size, "line")}`);
  }

  show(fresh = false) {
    clearTimeout(this.painting);
    this.painting = null;
    if (!this.named) {
      const names = () => [...this.lines.streams.values()].map(({ name }) => name);
      const before = names().join("\n");
      this.shared.replaceChildren(...labelSpans(this.lines.nameStreams()));
      this.feed.style.setProperty("--source", Math.max(0, ...names().map(({ length }) => Math.min(28, length))) + "ch");
      this.fresh ||= before !== names().join("\n");
      this.named = true;
    }
    super.show(fresh || this.fresh);
    this.fresh = false;
    if (this.lines.size) this.note.textContent = "";
    this.showFurther();
  }

  showFurther() {
    this.further.hidden = !this.more || this.lines.size >= MOST || !this.list.isAt(this.oldEdge);
    this.further.classList.toggle("top", this.oldEdge === "start");
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
    const stage = { JSON: "json", logfmt: "logfmt" }[kind];
    const parsed = stage && !hasStage(query, stage) ? withStage(query, "| " + stage) : query;
    this.put(withStage(parsed, `| ${name}${op}${quote(value)}`));
  }

  fields() {
    const last = this.lines.inTime().slice(-200);
    return [...new Set(last.flatMap(({ metadata, parsed, line }) => [...Object.keys({ ...metadata, ...parsed }), ...fieldsOf(line)[1].map(([name]) => name)]))].sort();
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
    // A range that ended gets no new lines. Behind an answer that is under way they begin at its end.
    on &&= !isMetric(this.query) && !state.to && this.feed.ariaBusy !== "true";
    if (on === Boolean(this.stop)) return;
    this.stop = this.stop?.();
    this.waiting = [];
    this.lost = 0;
    this.letIn();
    if (!on) return;
    // From the newest line on, but for those that are ahead of the clock.
    const known = this.lines.inTime();
    const since = BigInt(known.findLast(({ ms }) => ms <= toMs(this.asked))?.ts ?? (this.end < this.asked ? this.end : this.asked));
    this.stop = follow({
      query: this.query, since, seen: known.filter(({ ms }) => ms >= toMs(since)).map((item) => ({ ...item, labels: item.stream.labels })),
      got: (objects) => {
        for (const object of objects) this.waiting.push(object);
        this.histogram.add(objects);
        if (performance.now() > this.figures + FIGURES) update((this.figures = performance.now()));
        if (this.waiting.length > MANY) this.lost += this.waiting.splice(0, this.waiting.length - MANY).length;
        this.coming ??= setTimeout(() => this.letIn((this.coming = null)), Math.max(0, this.cameIn + OFTEN - performance.now()));
      },
    });
  }

  hasSelection() {
    const selection = getSelection();
    return !selection.isCollapsed && selection.containsNode(this.feed, true);
  }

  // What keeps new lines away: "" for nothing. Only what is in sight does.
  holds() {
    if (this.paused) return "it is paused";
    if (!this.list.isAt(this.edge)) return "the list is scrolled away from its newest line";
    if (this.held) return "the pointer is down";
    if (this.hasSelection()) return "text is selected";
    if (this.list.focused() && this.list.inSight(this.list.cursor)) return "the cursor is on a line";
    if ([...this.list.rows.keys()].some((item) => item.open && !item.passed && this.list.inSight(item))) return "a line is unfolded";
    return "";
  }

  mayMove() {
    return !this.holds();
  }

  // `asked`: the reader wants the lines that wait, whatever is in the way.
  letIn(asked = false) {
    if (asked) {
      this.goOn();
      this.feed.focus({ preventScroll: true });
      // From here on the reader wants to follow, whatever was in the way.
      if (this.hasSelection()) getSelection().empty();
      for (const item of this.list.items) item.passed = item.open;
    }
    if (this.waiting.length && (asked || this.mayMove())) {
      this.cameIn = performance.now();
      for (const object of this.waiting) {
        const known = this.lines.streams.size;
        const stream = this.lines.stream(object.labels);
        this.named &&= this.lines.streams.size === known;
        this.lines.addNewer(this.lines.item(object, stream));
      }
      this.waiting = [];
      this.lost = 0;
      this.list.edge = this.edge;
      this.show();
    }
    if (this.stop && this.lines.size && this.feed.ariaBusy !== "true") mention(this.found);
    this.wait.hidden = !this.waiting.length;
    this.wait.title = this.wait.hidden ? "" : `they wait, because ${this.holds() || "they only just came"}: show them (.)`;
    this.wait.textContent = counted(this.waiting.length, "new line") + (this.lost ? `, ${count(this.lost)} more were dropped` : "");
    this.wait.classList.toggle("top", this.edge === "start");
  }
}
