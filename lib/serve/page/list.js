// A list of any length of which only the visible rows are elements.
//
// A row stands below the sum of the heights before it. Most rows have the usual height; the others are estimated until they are shown
// first, and measured then. Whatever changes above: the first visible row, the anchor, stays where it is, unless the list sticks to an
// edge ("start" or "end"), which it does until the reader scrolls.

import { make } from "./dom.js";

const BLOCK = 256;  // rows that are summed up together
const BEYOND = 12;  // rows that exist above and below the visible ones

export class List {
  // calls: render(item), its element; fixed(item), it has the usual height; estimate(item), in pixels; scrolled().
  constructor(box, calls) {
    Object.assign(this, { box, items: [], rows: new Map(), sums: [0, 0], cursor: null, edge: "", anchor: null, y: 0, usual: 20 }, calls);
    box.append((this.inner = make("div", { class: "rows" })));
    box.addEventListener("scroll", () => {
      if (Math.abs(box.scrollTop - this.y) >= 1) {
        this.edge = "";
        this.hold();
        this.settle();
      }
      this.scrolled?.();
    });
    new ResizeObserver(() => (box.clientWidth === this.width ? this.layOut() : this.redraw())).observe(box);
  }

  // In the order of the screen. `fresh`: no row can stay.
  set(items, fresh = false) {
    const before = this.items;
    this.items = items;
    items.forEach((item, i) => (item.index = i));
    // Where the anchor is gone, the next item that stays takes its place.
    if (this.anchor && !this.has(this.anchor.item)) {
      const item = before.slice(before.indexOf(this.anchor.item)).find((one) => this.has(one));
      this.anchor = item && { item, away: this.anchor.away };
    }
    if (fresh) this.drop();
    this.layOut();
  }

  has(item) {
    return Boolean(item) && this.items[item.index] === item;
  }

  // Forgets the element of this item, or of all.
  drop(item = null) {
    for (const one of item ? [item] : this.items) one.height = 0;
    for (const one of item ? [item] : [...this.rows.keys()]) this.forget(one);
  }

  // After a change of this item, or of how all are shown.
  redraw(item = null) {
    const focused = this.focused();
    this.drop(item);
    if (!item) {
      const probe = make("div", { class: "row" }, make("div", { class: "row-line" }, "0"));
      this.inner.append(probe);
      this.usual = probe.offsetHeight || 20;
      this.width = this.box.clientWidth;
      probe.remove();
    }
    this.layOut();
    if (focused) this.rows.get(this.cursor)?.focus({ preventScroll: true });
  }

  focused() {
    return this.inner.contains(document.activeElement);
  }

  height(item) {
    return item.height || (this.fixed(item) ? this.usual : this.estimate(item));
  }

  sum() {
    this.sums = [0];
    let sum = 0;
    this.items.forEach((item, i) => {
      sum += this.height(item);
      if ((i + 1) % BLOCK === 0) this.sums.push(sum);
    });
    this.inner.style.height = sum + "px";
    this.whole = sum;
  }

  top(index) {
    let at = this.sums[Math.floor(index / BLOCK)];
    for (let i = index - (index % BLOCK); i < index; i++) at += this.height(this.items[i]);
    return at;
  }

  // The index of the row at this height.
  at(y) {
    const block = Math.max(0, this.sums.findLastIndex((sum) => sum <= y));
    let at = this.sums[block];
    for (let i = block * BLOCK; i < this.items.length; i++) if ((at += this.height(this.items[i])) > y) return i;
    return Math.max(0, this.items.length - 1);
  }

  hold() {
    this.y = this.box.scrollTop;
    const item = this.items[this.at(this.y)];
    this.anchor = item && { item, away: this.top(item.index) - this.y };
  }

  layOut() {
    this.sum();
    this.settle();
  }

  // Until no row has another height than was assumed.
  settle() {
    for (let round = 0; round < 4; round++) {
      if (this.edge) this.scroll(this.edge === "end" ? this.whole : 0);
      else if (this.has(this.anchor?.item)) this.scroll(this.top(this.anchor.item.index) - this.anchor.away);
      if (!this.paint()) break;
    }
    this.hold();
  }

  scroll(to) {
    this.box.scrollTop = to;
    this.y = this.box.scrollTop;
  }

  isAt(edge) {
    return edge === "start" ? this.box.scrollTop < 4 : this.box.scrollTop + this.box.clientHeight > this.whole - 4;
  }

  // Makes the rows that are visible. True: some have another height than was assumed.
  paint() {
    const { scrollTop, clientHeight } = this.box;
    if (!clientHeight) return false;
    const first = Math.max(0, this.at(scrollTop) - BEYOND);
    const wanted = this.items.slice(first, this.at(scrollTop + clientHeight) + BEYOND);
    // The cursor's row has the keyboard's focus, also where nobody sees it.
    if (this.has(this.cursor) && !wanted.includes(this.cursor)) wanted[this.cursor.index < first ? "unshift" : "push"](this.cursor);
    for (const item of this.rows.keys()) if (!wanted.includes(item)) this.forget(item);
    let next = this.inner.firstChild;
    for (const item of wanted) {
      const row = this.rows.get(item) ?? this.render(item);
      this.rows.set(item, row);
      if (row === next) next = next.nextSibling;
      else this.inner.insertBefore(row, next);
      row.classList.toggle("cursor", item === this.cursor);
      const places = `${item.index + 1} ${this.items.length}`;
      if (row.places === places) continue;
      row.places = places;
      row.ariaPosInSet = item.index + 1;
      row.ariaSetSize = this.items.length;
    }
    const before = this.whole;
    for (const item of wanted) {
      if (this.fixed(item)) continue;
      const more = this.rows.get(item).offsetHeight - this.height(item);
      item.height = this.height(item) + more;
      this.whole += more;
      for (let block = Math.floor(item.index / BLOCK) + 1; more && block < this.sums.length; block++) this.sums[block] += more;
    }
    const wrong = this.whole !== before;
    if (wrong) this.inner.style.height = this.whole + "px";
    for (const item of wanted) {
      const row = this.rows.get(item);
      const top = this.top(item.index);
      if (row.top !== top) row.style.transform = `translateY(${(row.top = top)}px)`;
    }
    return wrong;
  }

  forget(item) {
    this.rows.get(item)?.remove();
    this.rows.delete(item);
  }

  // The cursor is the row that has, or had last, the keyboard's focus. `middle`: it is scrolled into the middle if it is not visible.
  setCursor(item, { focus = true, middle = false } = {}) {
    if (!this.has(item)) return;
    this.cursor = item;
    this.edge = "";
    for (let round = 0; round < 3; round++) {
      const top = this.top(item.index);
      const below = top + this.height(item) - this.box.clientHeight;
      if (top < this.y || below > this.y) this.scroll(middle ? (top + below) / 2 : top < this.y ? top : Math.min(top, below));
      if (!this.paint()) break;
    }
    this.hold();
    if (focus) this.rows.get(item)?.focus({ preventScroll: true });
  }

  // Does one see some of it?
  inSight(item) {
    const top = this.has(item) ? this.top(item.index) - this.box.scrollTop : Infinity;
    return top < this.box.clientHeight && top + this.height(item) > 0;
  }

  stick(edge) {
    this.edge = edge;
    this.layOut();
  }

  firstVisible() {
    return this.items[this.at(this.box.scrollTop + 2)];
  }
}
