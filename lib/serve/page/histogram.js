// How many lines there are over time, by level. It comes after the lines, from the same scan, and never keeps them waiting.

import { button, count, counted, make } from "./dom.js";
import { quote } from "./logql.js";
import { levelClass } from "./row.js";
import { clock, toMs } from "./state.js";
import { TimePlot } from "./timeplot.js";

const ORDER = ["critical", "fatal", "error", "warn", "info", "debug", "trace"];
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

  clear() {
    this.set({ start: 0, step_ns: 1e9, buckets: {} });
  }

  describe(i) {
    const all = counted(this.total[i], "line");
    const parts = this.levels.filter(({ counts }) => counts.has(i)).map(({ level, counts }) => `${level} ${count(counts.get(i))}`);
    return `${clock(this.plot.start + i * this.plot.step)}: ${all} (${parts.join(", ")})`;
  }
}
