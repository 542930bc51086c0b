// Lines that somebody reads: the list of a column, and that of a context. A cursor goes through them, by mouse and by keyboard.

import { copy, make, say } from "./dom.js";
import { Lines, isError } from "./lines.js";
import { List } from "./list.js";
import { isFixed, row } from "./row.js";
import { clock, state } from "./state.js";

export class Reader {
  lines = new Lines();
  marks = null;

  // act: what else the rows can do (row.js).
  constructor(label, act = {}) {
    this.feed = make("div", { class: "list", role: "feed", tabindex: 0, "aria-label": label });
    this.list = new List(this.feed, {
      render: (item) => row(item, this), fixed: isFixed,
      estimate: ({ line }) => this.list.usual * Math.ceil((Math.min(line.length, 1000) || 1) * 8 / Math.max(80, this.list.width - 180)),
    });
    this.act = {
      select: (item) => item !== this.list.cursor && this.select(item, { focus: false }),
      toggle: (item) => this.list.redraw(item, (item.open = !item.open), (item.passed = false)),
      whole: (item) => this.list.redraw(item, (item.whole = true)),
      unfold: (item) => {
        if (!item.unfolded && !item.fold && !item.line.includes("\n")) return say("nothing is folded under this line");
        item.unfolded = !item.unfolded;
        this.list.drop(item);
        this.show();
        this.select(item);
      },
      copy: ({ line }) => copy(line, "line"),
      ...act,
    };
  }

  // `fresh`: no row can stay as it is.
  show(fresh = false) {
    const day = (ms) => clock(ms).slice(0, 10);
    const dates = this.lines.size > 0 && [this.lines.oldest, this.lines.newest].some(({ ms }) => day(ms) !== day(Date.now()));
    fresh ||= dates !== this.dates;
    this.dates = dates;
    this.list.set(this.lines.shown(state.order === "top", !this.whole), fresh);
  }

  select(item, how) {
    this.list.setCursor(item, how);
  }

  // Moves the cursor by so many rows; with `wanted` on to the next item of that kind.
  step(rows, wanted = null) {
    const { items, cursor } = this.list;
    let at = this.list.has(cursor) ? cursor.index + rows : (this.list.firstVisible()?.index ?? 0);
    if (!wanted) at = Math.max(0, Math.min(items.length - 1, at));
    while (items[at] && wanted && !wanted(items[at])) at += rows;
    if (items[at]) this.select(items[at], { middle: Boolean(wanted) });
    return items[at];
  }

  jump(direction) {
    const item = this.step(direction, isError);
    say(item ? `${item.level} at ${clock(item.ms).slice(this.dates ? 0 : 11)}` : `no error ${direction > 0 ? "below" : "above"} in these lines`);
  }
}
