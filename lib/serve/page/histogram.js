// How many lines there are over time, by level. It comes after the lines, from the same scan, and never keeps them waiting.

import { button, count, counted, make } from "./dom.js";
import { quote } from "./logql.js";
import { levelClass } from "./row.js";
import { clock, toMs } from "./state.js";
import { TimePlot } from "./timeplot.js";

const ORDER = ["critical", "fatal", "error", "warn", "info", "debug", "trace"];
const MOST = 180;     // steps, with those of live lines; beyond, two become one
const OFTEN = 1000;   // milliseconds between two pictures of live lines
const rank = ({ level }) => ORDER.indexOf(level) + 1 || 9;

export class Histogram {
  plot = new TimePlot("Lines over time", (i) => this.describe(i));
  bar = make("div", { class: "progress" });
  legend = make("div", { class: "legend", role: "group", "aria-label": "Levels" });
  element = make("section", { class: "histogram", "aria-label": "Histogram" }, this.bar, this.plot.element, this.legend);

  // The share of the scan that is done.
  progress(share) {
    this.bar.style.width = share * 100 + "%";
    this.bar.hidden = share >= 1;
    this.element.classList.toggle("old", share < 1);
  }

  // turn(stage): one wants to see a level alone, or all again.
  set({ start, step_ns: step, buckets }, query, turn) {
    clearTimeout(this.drawing);
    this.drawing = null;
    this.shown = { start, step, query, turn };
    this.levels = Object.entries(buckets).map(([level, counts]) => ({ level, counts: new Map(counts) })).sort((a, b) => rank(a) - rank(b));
    const steps = Math.max(-1, ...this.levels.flatMap(({ counts }) => [...counts.keys()])) + 1;
    this.total = new Array(steps).fill(0);
    for (const { counts } of this.levels) for (const [i, n] of counts) this.total[i] += n;
    const most = Math.max(1, ...this.total);
    const base = new Array(steps).fill(1);
    // The most severe stand at the bottom, where one sees few of them too.
    this.plot.picture.replaceChildren(...this.levels.map(({ level, counts }) => {
      let d = "";
      for (const [i, n] of counts) {
        const height = Math.max(n / most, 0.02);
        d += `M${i + 0.06} ${base[i]}v${-height}h.88v${height}z`;
        base[i] -= height;
      }
      return make("path", { d, class: levelClass(level) });
    }));
    this.plot.picture.setAttribute("viewBox", `0 0 ${steps || 1} 1`);
    this.plot.set(toMs(start), step / 1e6, steps);
    this.legend.replaceChildren(...this.levels.map(({ level, counts }) => {
      const stage = `| detected_level=${quote(level)}`;
      return button(`${level} ${count([...counts.values()].reduce((a, b) => a + b, 0))}`, () => turn(stage),
        { class: levelClass(level), "aria-pressed": query.includes(stage), title: "only lines of this level, or all" });
    }));
  }

  // Nothing yet. What live lines need is known.
  clear(query = "", turn = null) {
    this.set({ start: 0, step_ns: 1e9, buckets: {} }, query, turn);
  }

  // Counts live lines too. A picture that somebody points at stays until they leave it.
  add(objects) {
    if (!objects.length) return;
    const { shown } = this;
    if (!this.levels.length) shown.start = objects.reduce((least, { ts }) => (BigInt(ts) < least ? BigInt(ts) : least), BigInt(objects[0].ts));
    for (const { ts, level } of objects) {
      const i = Math.max(0, Math.floor(Number(BigInt(ts) - BigInt(shown.start)) / shown.step));
      let own = this.levels.find((one) => one.level === level);
      if (!own) this.levels.push((own = { level, counts: new Map() }));
      own.counts.set(i, (own.counts.get(i) ?? 0) + 1);
    }
    const last = Math.max(...this.levels.flatMap(({ counts }) => [...counts.keys()]));
    const by = Math.ceil((last + 1) / MOST);
    shown.step *= by;
    for (const { counts } of by > 1 ? this.levels : []) {
      const before = [...counts];
      counts.clear();
      for (const [i, n] of before) counts.set(Math.floor(i / by), (counts.get(Math.floor(i / by)) ?? 0) + n);
    }
    this.drawing ??= setTimeout(() => this.drawLive(), OFTEN);
  }

  drawLive() {
    if (this.element.matches(":hover, :focus-within")) return void (this.drawing = setTimeout(() => this.drawLive(), OFTEN));
    const { start, step, query, turn } = this.shown;
    this.set({ start, step_ns: step, buckets: Object.fromEntries(this.levels.map(({ level, counts }) => [level, [...counts]])) }, query, turn);
  }

  describe(i) {
    const all = counted(this.total[i], "line");
    const parts = this.levels.filter(({ counts }) => counts.has(i)).map(({ level, counts }) => `${level} ${count(counts.get(i))}`);
    return `${clock(this.plot.start + i * this.plot.step)}: ${all} (${parts.join(", ")})`;
  }
}
