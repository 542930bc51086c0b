// What the page shows, as the part of the address behind "#": a link opens the same view, and "back" undoes a step.
//
//   q, q2     the queries of both columns; beside: there are two         from, to  "" (all), "1h" (until now), or nanoseconds
//   limit     lines at most        order  "top": newest first            wrap, raw, fields, live, utc, labels, table  "1" or "0"
//   at        the time of the line with the cursor                       tenant
//   hide      names of series that no chart draws, one a line
//   ctx       whose context is open: {"ts", "labels"}; cq, cb, ca: its filter, lines before and after

const DEFAULTS = {
  q: "", q2: "", beside: "0", from: "", to: "", limit: "1000", order: "", wrap: matchMedia("(max-width: 640px)").matches ? "1" : "0", raw: "0",
  fields: "0", live: "0", utc: "0", labels: "0", table: "0", at: "", hide: "", tenant: "", ctx: "", cq: "", cb: "30", ca: "30",
};

// What each may be, where not everything may.
const digits = (text) => /^\d{0,19}$/.test(text) && BigInt(text || 0) < 1n << 63n;
const lines = (text) => /^[1-9]\d{0,5}$/.test(text);
function isPlace(text) {
  try {
    const { ts, labels } = JSON.parse(text || '{"ts": "0", "labels": {}}');
    return typeof ts === "string" && ts && digits(ts) && Object.values(labels).every((value) => typeof value === "string");
  } catch {
    return false;
  }
}
const FITS = {
  from: (text) => digits(text) || /^\d{1,5}[mhd]$/.test(text), to: digits, at: digits, limit: lines, cb: lines, ca: lines, order: (text) => /^(top)?$/.test(text),
  ctx: isPlace, ...Object.fromEntries("beside wrap raw fields live utc labels table".split(" ").map((name) => [name, (text) => /^[01]$/.test(text)])),
};

export const state = {};
export const unread = [];  // the parts of the address that cannot be read: their defaults are shown
export const spool = {};  // oldest, newest: nanoseconds around what it has
export const is = (name) => state[name] === "1";
let listener = null;
const address = (shown) => "#" + new URLSearchParams(Object.entries(shown).filter(([name, value]) => value !== DEFAULTS[name]));

// `step`: "back" undoes it. The listener gets the names of what changed; `quiet`: it does not.
export function change(changed, { step = true, quiet = false } = {}) {
  const names = Object.keys(changed).filter((name) => changed[name] !== state[name]);
  Object.assign(state, changed);
  if (names.length) unread.length = 0;
  if (names.length) history[step ? "pushState" : "replaceState"](null, "", address(state));
  if (names.length && !quiet) listener(new Set(names));
}

// The address of a view that differs from this one.
export const link = (changed) => location.href.split("#")[0] + address({ ...state, ...changed });

function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  const wrong = [...given].filter(([name, value]) => !Object.hasOwn(DEFAULTS, name) || !(FITS[name]?.(value) ?? true));
  unread.splice(0, Infinity, ...wrong.map(([name, value]) => `${name}=${value}`));
  for (const [name] of wrong) given.delete(name);
  const names = Object.keys(DEFAULTS).filter((name) => state[name] !== (given.get(name) ?? DEFAULTS[name]));
  for (const name of names) state[name] = given.get(name) ?? DEFAULTS[name];
  return new Set(names);
}

export function start(call) {
  read();
  listener = call;
  addEventListener("popstate", () => listener(read()));
}

// Nanoseconds are decimal text or BigInt, because a number cannot hold them.
const UNITS = { m: 6e10, h: 36e11, d: 864e11 };
export const toMs = (ns) => Number(ns) / 1e6;
export const now = () => BigInt(Date.now()) * 1000000n;

// As the server is told a time: it takes a number of ten characters for seconds, so that there are always more.
export const sent = (ns) => (ns < 0n ? "-" : "") + String(ns < 0n ? -ns : ns).padStart(19, "0");

// The range of time in nanoseconds; a start of 0: all there is.
export function range() {
  const end = BigInt(state.to || (!state.from && spool.newest) || now());
  const since = /^(\d+)([mhd])$/.exec(state.from);
  return { start: since ? end - BigInt(since[1] * UNITS[since[2]]) : BigInt(state.from || spool.oldest || 0), end };
}

// The part of it that may be asked for at once where the server has a limit: the newest, but of a range that goes on beyond now, the part
// before now. A record of a wrong clock is no reason to show nothing.
export const MOST_DAYS = 30;
export function limited() {
  let { start, end } = range();
  const most = BigInt(MOST_DAYS * UNITS.d);
  if (end - start <= most) return { start, end, cut: false };
  if (end > now() && start < now()) end = now();
  return { start: start < end - most ? end - most : start, end, cut: true };
}

// "2026-11-29 12:00:00.123"
export function clock(ms) {
  const time = new Date(is("utc") ? ms : ms - new Date(ms).getTimezoneOffset() * 60000);
  return Number.isNaN(+time) ? "?" : time.toISOString().slice(0, -1).replace("T", " ");
}
