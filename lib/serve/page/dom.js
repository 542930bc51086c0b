// Elements and text. Nothing in this page parses markup: what comes from a log only ever becomes a text node.

export const find = (id) => document.getElementById(id);

// What a terminal, or the order of Arabic text, would obey is shown instead. Only a terminal's colours are left out.
const HIDDEN = new RegExp("\\x1b\\[[\\d;]*m|[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e" +
  "\\u2060-\\u206f\\ufeff\\ufff9-\\ufffc\\ufffe\\uffff\\u{e0000}-\\u{e0fff}\\ud800-\\udfff]", "gu");

function symbol(text) {
  const code = text.codePointAt(0);
  if (code < 32) return String.fromCharCode(0x2400 + code) + text.slice(1);
  return "U+" + code.toString(16).toUpperCase().padStart(4, "0");
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
    if (raw || found.length < 3) out.push(make("span", { class: "hidden-byte" }, symbol(found)));
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

export function coloured(hue, element) {
  element.style.setProperty("--hue", hue);
  element.classList.add("hue");
  return element;
}

// Tells everybody: it stands in the footer, and screen readers read it out.
export const say = (text) => (find("says").textContent = text);

export const count = (n) => Number(n).toLocaleString("en-US");
export const counted = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

export function bytes(n) {
  const unit = Math.min(4, Math.floor(Math.log2(n || 1) / 10));
  return `${+(n / 1024 ** unit).toFixed(1)} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}
