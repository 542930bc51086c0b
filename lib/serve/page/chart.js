// The answer to a metric query: lines over time, and the same as a table.

import { coloured, make } from "./dom.js";
import { clock, is } from "./state.js";
import { TimePlot } from "./timeplot.js";

const MOST = 50;  // series
const short = (n) => (n === undefined ? "" : n && (Math.abs(n) >= 1e5 || Math.abs(n) < 1e-3) ? n.toExponential(2) : String(+n.toFixed(3)));

export class Chart {
  plot = new TimePlot("Values over time", (i) => this.describe(i));
  scale = make("div", { class: "scale", "aria-hidden": true });
  legend = make("ul", { class: "legend", "aria-label": "Series" });
  picture = make("div", { class: "chart-picture" }, this.scale, this.plot.element);
  table = make("div", { class: "chart-table", tabindex: 0, role: "region", "aria-label": "Values as a table" });
  element = make("section", { class: "chart", "aria-label": "Chart" }, this.picture, this.legend, this.table);
  series = [];

  // `result`: a matrix of Loki. Seconds.
  set({ result }, start, step, steps) {
    this.series = result.slice(0, MOST).map(({ metric, values }, i) => ({
      name: Object.entries(metric).map(([name, value]) => `${name}=${value}`).join(" ") || "value", hue: (200 + i * 137) % 360,
      at: new Map(values.map(([time, value]) => [Math.round((time - start) / step), Number(value)])),
    }));
    this.plot.set(start * 1000, step * 1000, steps, 1);
    this.legend.replaceChildren(...this.series.map((one) => coloured(one.hue, make("li", {}, one.name))), ...(result.length > MOST ? [make("li", {}, `and ${result.length - MOST} more`)] : []));
    this.draw();
  }

  draw() {
    const values = this.series.flatMap(({ at }) => [...at.values()]).filter(Number.isFinite);
    const low = Math.min(0, ...values);
    const high = Math.max(low + 1e-9, ...values);
    const point = (step, value) => `${step} ${1 - (value - low) / (high - low)}`;
    this.scale.replaceChildren(...[high, (high + low) / 2, low].map((value) => make("span", {}, short(value))));
    this.plot.picture.setAttribute("viewBox", `0 -.02 ${Math.max(1, this.plot.steps - 1)} 1.04`);
    this.plot.picture.replaceChildren(...this.series.map(({ at, hue }) => {
      const d = [...at].filter(([, value]) => Number.isFinite(value)).map(([step, value]) => `${at.has(step - 1) ? "L" : "M" + point(step - 0.1, value) + "L"}${point(step, value)}`);
      return coloured(hue, make("path", { d: d.join("") }));
    }));
    this.picture.hidden = is("table");
    this.table.hidden = !is("table");
    if (is("table")) this.fill();
  }

  time(step) {
    return clock(this.plot.start + step * this.plot.step).slice(0, 19);
  }

  describe(step) {
    const parts = this.series.filter(({ at }) => at.has(step)).map(({ name, at }) => `${name}: ${short(at.get(step))}`);
    return [this.time(step), ...parts.slice(0, 8)].join(" \u00b7 ");
  }

  fill() {
    const steps = [...Array(this.plot.steps).keys()].filter((step) => this.series.some(({ at }) => at.has(step))).slice(-1000).reverse();
    const cells = (first, kind, texts) => make("tr", {}, make("th", { scope: kind === "td" ? "row" : "col" }, first), texts.map((text) => make(kind, {}, text)));
    this.table.replaceChildren(make("table", {}, make("thead", {}, cells("Time", "th", this.series.map(({ name }) => name))),
      make("tbody", {}, steps.map((step) => cells(this.time(step), "td", this.series.map(({ at }) => short(at.get(step))))))));
  }
}
