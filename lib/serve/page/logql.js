// The text of a query, as far as the page has to know it: its words, the matchers of its selector, what fits behind the caret. What a
// query means is up to the server.

const TOKEN = /"(?:\\.|[^"\\])*"?|`[^`]*`?|=~|!~|!=|\|=|\|~|\s+|[\w.:-]+|./gs;

const tokens = (text) => Array.from(text.matchAll(TOKEN), ({ 0: found, index }) => ({ text: found, at: index }));
const words = (text) => tokens(text).filter((token) => token.text.trim());
const isString = (text) => /^["`]/.test(text);
const isWhole = (text) => /^(`[^`]*`|"(\\.|[^"\\])*")$/s.test(text);
export const quote = JSON.stringify;
export const isMetric = (query) => !/^\s*([{|]|!=|!~|$)/.test(query);
export const hasStage = (query, word) => tokens(query).some(({ text }) => text === word);

function unquote(text) {
  try {
    return text[0] === "`" ? text.slice(1, -1) : JSON.parse(text);
  } catch {
    return text.slice(1, -1);
  }
}

// The first selector: {from, to, matchers: [{name, op, value}]}; null: there is none that is whole.
function selector(query) {
  const all = words(query);
  const open = all.findIndex(({ text }) => text === "{");
  const close = all.findIndex(({ text }, i) => i > open && text === "}");
  if (open < 0 || close < 0) return null;
  const inner = all.slice(open + 1, close).map(({ text }) => text).filter((text) => text !== ",");
  const matchers = [];
  for (let i = 0; i < inner.length; i += 3) {
    if (!isString(inner[i + 2] ?? "")) return null;
    matchers.push({ name: inner[i], op: inner[i + 1], value: unquote(inner[i + 2]) });
  }
  return { from: all[open].at, to: all[close].at + 1, matchers };
}

const printed = (matchers) => "{" + matchers.map(({ name, op, value }) => name + op + quote(value)).join(`, `) + "}";
const escaped = (value) => value.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&");

// The query with the label held to the value, by = or !=.
export function withMatcher(query, name, op, value) {
  const own = { name, op, value };
  const found = selector(query);
  if (!found) return query.includes("{") ? query : `${printed([own])} ${query}`.trim();
  const others = found.matchers.filter((m) => m.name !== name || (op === "!=" && m.value !== value));
  return query.slice(0, found.from) + printed([...others, own]) + query.slice(found.to);
}

// The alternatives of an expression: of "a|b(c|d)" they are "a" and "b(c|d)".
function alternatives(expression) {
  const out = [""];
  let depth = 0;
  for (const part of expression.match(/\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|./gs) ?? []) {
    if (part === "|" && depth === 0) out.push("");
    else out[out.length - 1] += part;
    depth += (part === "(") - (part === ")");
  }
  return out;
}

const plain = (expression) => expression.replace(/\\([\\.+*?()|[\]{}^$-])/g, "$1");
const isPlain = (expression) => escaped(plain(expression)) === expression;
const expressions = (matchers) => matchers.flatMap(({ op, value }) => (op.endsWith("~") ? alternatives(value) : [escaped(value)]));

// The matchers of the label that take values (the first: several have to hold at once), or that leave values out.
const matchersOf = (matchers, name, op) => matchers.filter((m) => m.name === name && m.op[0] === op[0]).slice(0, op === "=" ? 1 : Infinity);

// "=": the query takes this value of the label, alone or with others. "!=": it leaves the value out. "": neither.
export function choiceOf(query, name, value) {
  const matchers = selector(query)?.matchers ?? [];
  return ["=", "!="].find((op) => expressions(matchersOf(matchers, name, op)).includes(escaped(value))) ?? "";
}

// The query with this choice of the value.
export function withChoice(query, name, value, choice) {
  const found = selector(query);
  if (!found) return choice ? withMatcher(query, name, choice, value) : query;
  let { matchers } = found;
  for (const op of ["=", "!="]) {
    const own = matchersOf(matchers, name, op);
    const kept = expressions(own).filter((one) => one !== escaped(value));
    if (choice === op) kept.push(escaped(value));
    else if (kept.length === expressions(own).length) continue;
    const next = kept.length === 1 && isPlain(kept[0]) ? { name, op, value: plain(kept[0]) } : { name, op: op[0] + "~", value: kept.join("|") };
    matchers = matchers.filter((m) => !own.includes(m)).concat(kept.length ? next : []);
  }
  return query.slice(0, found.from) + printed(matchers) + query.slice(found.to);
}

// The selector, which need not be whole, with nothing said of one label.
export function otherMatchers(query, label) {
  const { matchers = [] } = selector(query) ?? selector(query.replace(/,[^,]*$/, "}")) ?? {};
  const others = matchers.filter(({ name }) => name !== label);
  return others.length ? printed(others) : "";
}

// The query without its comparisons of this field with a text by =.
export function withoutComparison(query, field) {
  const all = words(query);
  const at = all.findIndex(({ text }, i) => text === "|" && all[i + 1]?.text === field && all[i + 2]?.text === "=" && isString(all[i + 3]?.text ?? ""));
  if (at < 0) return query;
  const end = all[at + 3];
  return withoutComparison((query.slice(0, all[at].at).trimEnd() + " " + query.slice(end.at + end.text.length).trimStart()).trim(), field);
}

// What somebody wrote who knows no LogQL: a text to look for.
export const isPlainText = (text) => /[^\d.\s]/.test(text) && /^[\w\s.:/-]+$/.test(text);

export const withStage = (query, stage) => (query.includes(stage) ? query : `${query.trim() || "{}"} ${stage}`);

// What its line filters look for, to highlight it: texts only, because a browser may match expressions for ever.
export function marks(query) {
  const parts = words(query).filter(({ text }, i, all) => isString(text) && /^(\|=|or)$/.test(all[i - 1]?.text)).map(({ text }) => escaped(unquote(text)));
  return parts.length ? new RegExp(`(${parts.join("|")})`) : null;
}

// What may stand at the end of `text`: {kind, from, prefix, label}, where `from` is where the word begins; null: nothing known.
export function expected(text) {
  const all = words(text);
  const last = all.at(-1)?.text ?? "";
  const spaced = /\s$/.test(text);
  const word = !spaced && /^[\w.:-]+$/.test(last) ? last : "";
  const [label, op] = all.slice(isWhole(last) || !isString(last) ? -2 : -3).map((token) => token.text);
  const before = (word ? all.at(-2)?.text : last) ?? "";
  const place = (kind, prefix = word) => ({ kind, prefix, from: text.length - prefix.length });
  const index = (what) => all.findLastIndex((token) => token.text === what);
  const open = isString(last) && !isWhole(last);

  if (index("{") > index("}")) {
    if (/^[=!]~?=?$/.test(op) && !isWhole(last)) return { ...place("value", open ? last.slice(1) : ""), label, quoted: open };
    return /^[{,]$/.test(before) ? place("label") : null;
  }
  if (open) return null;
  if (index("(") > index(")") && /^(by|without|on|ignoring)$/.test(all[index("(") - 1]?.text)) return place("field");
  if (before === "|") return place("stage");
  if (/^(drop|keep|unwrap)$/.test(before)) return place("field");
  if (!all.length) return place("start");
  if (index("{") < 0) return word ? place("function") : null;
  return spaced && (/^[}]$|^\w+$/.test(last) || isWhole(last)) ? place("next", "") : null;
}
