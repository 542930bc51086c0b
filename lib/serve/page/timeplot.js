// A picture over time: the histogram and the chart are ones. Dragging over it selects a span to zoom into. So does the keyboard: left
// and right move from step to step, with shift they select, Enter zooms. A screen reader hears a slider with the text of the step.

import { make } from "./dom.js";
import { change, clock } from "./state.js";

export class TimePlot {
  steps = 0;
  at = this.from = -1;  // the steps that are selected

  // describe(i): the text of step i.
  constructor(label, describe) {
    this.describe = describe;
    this.picture = make("svg", { preserveAspectRatio: "none", "aria-hidden": true });
    this.mark = make("div", { class: "plot-mark" });
    this.tip = make("div", { class: "plot-tip" });
    this.axis = make("div", { class: "plot-axis", "aria-hidden": true });
    const leave = () => this.dragging || this.select(-1);
    this.area = make("div", {
      class: "plot-area", role: "slider", tabindex: 0, "aria-label": label, "aria-valuemin": 0, onblur: leave, onpointerleave: leave, onpointercancel: leave,
      onpointerdown: (event) => {
        this.area.setPointerCapture(event.pointerId);
        this.dragging = true;
        this.select(this.stepAt(event));
      },
      onpointermove: (event) => this.select(this.stepAt(event), this.dragging),
      onpointerup: () => {
        this.dragging = false;
        if (this.from !== this.at) this.zoom();
      },
      onkeydown: (event) => this.key(event),
    }, this.picture, this.mark);
    this.element = make("div", { class: "plot" }, this.area, this.axis, this.tip);
    this.set(0, 1, 0);
  }

  // Milliseconds. With `points` the steps are moments, otherwise spans.
  set(start, step, steps, points = 0) {
    Object.assign(this, { start, step, steps, points });
    const span = step * steps;
    const years = new Date(start).getFullYear() !== new Date(start + span).getFullYear() && span > 864e5;
    const part = years ? [0, 10] : span > 864e5 ? [5, 16] : [11, span > 2e4 ? 19 : 23];
    // The first time has its day, where it is not today's.
    const first = span > 864e5 || clock(start).slice(0, 10) === clock(Date.now()).slice(0, 10) ? part[0] : 0;
    this.axis.replaceChildren(...[0, 1, 2, 3, 4].slice(0, steps * 5).map((i) => make("span", {}, clock(start + (i / 4) * step * (steps - points)).slice(i ? part[0] : first, part[1]))));
    this.select(-1);
  }

  share(i) {
    return i / Math.max(1, this.steps - this.points);
  }

  stepAt({ clientX }) {
    const { left, width } = this.area.getBoundingClientRect();
    const share = (clientX - left) / width;
    return Math.max(0, Math.min(this.steps - 1, this.points ? Math.round(share * (this.steps - 1)) : Math.floor(share * this.steps)));
  }

  // -1: nothing. `further`: from the step before on.
  select(at, further = false) {
    this.at = at;
    if (!further || this.from < 0) this.from = at;
    const [low, high] = [Math.min(this.from, at), Math.max(this.from, at)];
    this.mark.hidden = this.tip.hidden = at < 0;
    this.mark.style.left = this.share(low) * 100 + "%";
    this.mark.style.width = `max(1px, ${this.share(high + 1 - this.points - low) * 100}%)`;
    const text = at < 0 ? `${this.steps} steps` : this.describe(at) + (low < high ? `, ${high - low + 1} steps selected` : "");
    this.tip.textContent = text;
    this.tip.style.left = Math.min(70, this.share(at) * 90) + "%";
    this.area.ariaValueMax = Math.max(0, this.steps - 1);
    this.area.ariaValueNow = Math.max(0, at);
    this.area.ariaValueText = text;
  }

  zoom() {
    const ns = (step) => BigInt(Math.round((this.start + step * this.step) * 1000)) * 1000n;
    change({ from: String(ns(Math.min(this.from, this.at))), to: String(ns(Math.max(this.from, this.at) + 1 - this.points)), at: "", live: "0" });
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
    if (steps && this.steps) this.select(Math.max(0, Math.min(this.steps - 1, this.at < 0 && steps === -1 ? this.steps - 1 : this.at + steps)), event.shiftKey);
    else if (event.key === "Enter" && this.at >= 0) this.zoom();
    else if (event.key === "Escape" && this.at >= 0) this.select(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
