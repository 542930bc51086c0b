// Elements and text. Nothing in this page parses markup: what comes from a log only ever becomes a text node.

export const find = (id) => document.getElementById(id);

// What a terminal, or the order of Arabic text, would obey is shown instead. Only a terminal's colours are left out.
const HIDDEN = new RegExp("\\x1b\\[[\\d;]*m|[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e" +
  "\\u2060-\\u206f\\ufeff\\ufff9-\\ufffc\\ufffe\\uffff\\u{e0000}-\\u{e0fff}\\ud800-\\udfff]", "gu");

// "\x1B" or "U+202E": letters that every font has.
function symbol(text) {
  const code = text.codePointAt(0);
  const hex = code.toString(16).toUpperCase();
  return code < 256 ? "\\x" + hex.padStart(2, "0") + text.slice(1) : "U+" + hex.padStart(4, "0");
}

// Text as it may stand in the page. `marks`: an expression with one group, of what to highlight. `raw`: colours are codes too.
export function visible(text, { marks, raw } = {}) {
  const out = [];
  let from = 0;
  const put = (to) => {
    const part = text.slice(from, to);
    out.push(...(marks ? part.split(marks).map((piece, i) => (i % 2 ? make("mark", {}, piece) : piece)) : [part]));
  };
  for (const { 0: found, index } of text.matchAll(HIDDEN)) {
    put(index);
    from = index + found.length;
    if (raw || found.length < 3) out.push(make("span", { class: "byte" }, symbol(found)));
  }
  put(text.length);
  return out;
}

// make("button", {class: "x", onclick}, "text", child): null, undefined and false leave a child or an attribute out.
export function make(tag, attributes = {}, ...children) {
  const element = /^(svg|path)$/.test(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element[name] = value;
    else if (name.startsWith("aria-") ? value !== undefined : (value ?? false) !== false) element.setAttribute(name, value);
  }
  for (const child of children.flat()) if (child || child === 0) element.append(...(child.nodeType ? [child] : visible(String(child))));
  return element;
}

export const button = (text, onclick, attributes = {}) => make("button", { type: "button", onclick, ...attributes }, text);

// "name=value" of each label.
export const labelSpans = (labels) => labels.map(([name, value]) => make("span", {}, `${name}=`, make("b", {}, value)));

// A row of a table with a name in front.
export const named = (name, ...cells) => make("tr", {}, make("th", { scope: "row" }, name), cells.map((one) => make("td", {}, one)));

export function coloured(hue, element) {
  element.style.setProperty("--hue", hue);
  element.classList.add("hue");
  return element;
}

// Puts a text into the clipboard, and says so: in the way that browsers allow without TLS too.
export function copy(text, what) {
  const focused = document.activeElement;
  const box = make("textarea");
  box.value = text;
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  focused?.focus({ preventScroll: true });
  say(done ? `${what} copied` : `cannot copy the ${what}: the browser forbids it`);
}

const STAYS = 4000;  // milliseconds
let said = -STAYS;
let later = null;

// Tells everybody: it stands in the footer, and screen readers read it out.
export function say(text) {
  clearTimeout(later);
  said = performance.now();
  find("says").ariaLive = "polite";
  find("says").textContent = text;
}

// Takes its place after a while. It changes often, so that it is not read out.
export function mention(text) {
  clearTimeout(later);
  later = setTimeout(() => {
    find("says").ariaLive = "off";
    find("says").textContent = text;
  }, Math.max(0, said + STAYS - performance.now()));
}

export const count = (n) => Number(n).toLocaleString("en-US");
export const counted = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

// "3 minutes"
export function duration(ms) {
  const units = [["day", 864e5], ["hour", 36e5], ["minute", 6e4], ["second", 1000]];
  const [noun, unit] = units.find(([, one]) => ms >= one) ?? units.at(-1);
  return counted(Math.floor(ms / unit), noun);
}

export function bytes(n) {
  const unit = Math.min(4, Math.floor(Math.log2(n || 1) / 10));
  return `${+(n / 1024 ** unit).toFixed(1)} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}
