// The answer to a metric query: lines over time, or a table. The legend switches series off and on.

import { button, coloured, make, named } from "./dom.js";
import { change, clock, is, state } from "./state.js";
import { TimePlot } from "./timeplot.js";

const MOST = 50;  // series, until one asks for all
// The names of series that are not shown.
const hidden = () => new Set(state.hide.split("\n"));
const hide = (names) => change({ hide: names.filter(Boolean).join("\n") }, { step: false });
const short = (n) => (n === undefined ? "" : n && (Math.abs(n) >= 1e5 || Math.abs(n) < 1e-3) ? n.toExponential(2) : String(+n.toFixed(3)));

export class Chart {
  plot = new TimePlot("Values over time", (i) => this.describe(i));
  scale = make("div", { class: "scale", "aria-hidden": true });
  legend = make("ul", { class: "legend", "aria-label": "Series" });
  picture = make("div", { class: "chart-picture" }, this.scale, this.plot.element);
  table = make("div", { class: "chart-table", tabindex: 0, role: "region", "aria-label": "Values as a table" });
  element = make("section", { class: "chart", "aria-label": "Chart" }, this.picture, this.legend, this.table);
  series = [];
  shown = [];  // those of them that are not hidden

  // `result`: a matrix of Loki. Seconds.
  set(data, start, step, steps, most = MOST) {
    const { result } = data;
    this.series = result.slice(0, most).map(({ metric, values }, i) => ({
      name: Object.entries(metric).map(([name, value]) => `${name}=${value}`).join(" ") || "value", hue: (200 + i * 137) % 360,
      at: new Map(values.map(([time, value]) => [Math.round((time - start) / step), Number(value)])),
    }));
    this.plot.set(start * 1000, step * 1000, steps, 1);
    this.switches = this.series.map(({ name, hue }) => coloured(hue, button(name, (event) => this.turn(name, event.shiftKey), { title: "hide or show; with Shift: only this one" })));
    this.all = button("Show all", () => hide([]));
    const left = result.length - this.series.length;
    const more = left > 0 ? [button(`Show ${left} more`, () => this.set(data, start, step, steps, Infinity))] : [];
    this.legend.replaceChildren(...[...this.switches, this.all, ...more].map((one) => make("li", {}, one)));
    this.draw();
  }

  clear() {
    this.set({ result: [] }, 0, 1, 0);
  }

  // Hides a series or shows it again. `alone`: hides all others, or shows them again.
  turn(name, alone) {
    const off = hidden();
    const others = this.series.map((one) => one.name).filter((one) => one !== name);
    if (alone) hide(others.every((one) => off.has(one)) ? [] : others);
    else if (off.delete(name)) hide([...off]);
    else hide([...off, name]);
  }

  draw() {
    const off = hidden();
    this.shown = this.series.filter(({ name }) => !off.has(name));
    this.switches?.forEach((one, i) => (one.ariaPressed = this.shown.includes(this.series[i])));
    if (this.all) this.all.parentNode.hidden = this.shown.length === this.series.length;
    const values = this.shown.flatMap(({ at }) => [...at.values()]).filter(Number.isFinite);
    const low = Math.min(0, ...values);
    const high = Math.max(low + 1e-9, ...values);
    const point = (step, value) => `${step} ${1 - (value - low) / (high - low)}`;
    this.scale.replaceChildren(...[high, (high + low) / 2, low].map((value) => make("span", {}, values.length ? short(value) : "")));
    this.plot.picture.setAttribute("viewBox", `0 -.02 ${Math.max(1, this.plot.steps - 1)} 1.04`);
    this.plot.picture.replaceChildren(...this.shown.map(({ at, hue }) => {
      const d = [...at].filter(([, value]) => Number.isFinite(value)).map(([step, value]) => `${at.has(step - 1) ? "L" : "M" + point(step - 0.1, value) + "L"}${point(step, value)}`);
      // A value without a neighbour has no line.
      const alone = [...at].filter(([i, value]) => Number.isFinite(value) && !at.has(i - 1) && !at.has(i + 1)).map(([i, value]) => `M${point(i, value)}h0`);
      return [coloured(hue, make("path", { d: d.join("") })), ...(alone.length ? [coloured(hue, make("path", { d: alone.join(""), class: "dot" }))] : [])];
    }).flat());
    this.picture.hidden = is("table");
    this.table.hidden = !is("table");
    if (is("table")) this.fill();
  }

  time(step) {
    return clock(this.plot.start + step * this.plot.step).slice(0, 19);
  }

  describe(step) {
    const parts = this.shown.filter(({ at }) => at.has(step)).map(({ name, at }) => `${name}: ${short(at.get(step))}`);
    return [this.time(step), ...parts.slice(0, 8)].join(" \u00b7 ");
  }

  fill() {
    const steps = [...Array(this.plot.steps).keys()].filter((step) => this.shown.some(({ at }) => at.has(step))).slice(-1000).reverse();
    const names = ["Time", ...this.shown.map(({ name }) => name)];
    this.table.replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, names.map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, steps.map((step) => named(this.time(step), ...this.shown.map(({ at }) => short(at.get(step))))))));
  }
}
