// The lines that were read, in the order of time; and which of them are shown, where stack traces fold.
//
// A line is {ts, ms, line, stream, metadata, parsed, level, …}. frame: it goes on with a stack trace; fold: how many are folded under
// it; unfolded: they are shown; open: its fields are shown; height: in pixels, where it was measured.

// How a line looks that goes on with a trace (Java, JavaScript, .NET, Python, Go, Ruby, Rust); and one that does within a trace.
const FRAME = /^(\s+at |\s+\.{3} \d+ (more|common)|Caused by: |\s*Suppressed: |\s+File "|\s+from .*:\d+:in |\t\S+\.go:\d+|goroutine \d+ \[|\s+\d+: 0x)/;
const PYTHON = /Traceback \(most recent call last\):\s*$/;  // whose last line stands at the left again
const PYTHON_END = /^[A-Za-z_][\w.]*(: |$)/;
const INNER = /^(\s+\S|[\w./*()]+\(.*\)$)/;
export const MOST = 200000;  // with live ones; beyond, the oldest go

export const identity = ({ ts, line, metadata, stream }) => JSON.stringify([ts, line, metadata, stream.key]);
const isFrame = (item) => (item.isFrame ??= FRAME.test(item.line));
const isInner = (item) => (item.isInner ??= INNER.test(item.line));

export const isError = ({ level }) => /^(err|crit|fatal|emerg|alert|panic)/.test(level);

export class Lines {
  older = [];  // newest first, as the server sends them
  newer = [];  // oldest first: live
  late = [];   // oldest first: live ones that are older than all that was read. One reads on at the end of `older`, not here.
  streams = new Map();

  get size() {
    return this.late.length + this.older.length + this.newer.length;
  }

  get oldest() {
    return this.late[0] ?? this.older.at(-1) ?? this.newer[0];
  }

  get newest() {
    return this.newer.at(-1) ?? this.older[0];
  }

  stream(labels) {
    const key = JSON.stringify(Object.entries(labels).sort());
    if (!this.streams.has(key)) this.streams.set(key, { key, labels, name: "", hue: 0 });
    return this.streams.get(key);
  }

  item({ ts, line, metadata = {}, parsed = {}, level = "" }, stream) {
    return { ts, ms: ts / 1e6, line, metadata, parsed, level, stream, height: 0 };
  }

  // What identifies the lines of the oldest moment.
  ofOldestMoment() {
    const { ts } = this.older.at(-1);
    return this.older.slice(this.older.findLastIndex((one) => one.ts !== ts) + 1).map(identity);
  }

  // One that was read. As a late one it may be there already.
  addOlder(item) {
    const again = this.late.at(-1)?.ms >= item.ms ? this.late.findLastIndex((one) => identity(one) === identity(item)) : -1;
    if (again >= 0) this.late.splice(again, 1);
    this.older.push(item);
  }

  // Of live ones that come late, each finds its place.
  addNewer(item) {
    const { older, newer, late } = this;
    const behind = (list) => list.findLastIndex(({ ms }) => ms <= item.ms) + 1;
    if (older.length && older.at(-1).ms > item.ms) late.splice(behind(late), 0, item);
    else if (older[0]?.ms > item.ms) older.splice(older.findIndex(({ ms }) => ms <= item.ms), 0, item);
    else newer.splice(behind(newer), 0, item);
    if (this.size > MOST) late.length ? late.shift() : older.length ? older.pop() : newer.shift();
  }

  inTime() {
    return this.late.concat(this.older.toReversed(), this.newer);
  }

  // From top to bottom. `folds`: whether traces of several lines fold.
  shown(newestFirst, folds = true) {
    const heads = new Map();  // by stream: the line that a frame belongs to
    const out = [];
    for (const item of this.inTime()) {
      const head = heads.get(item.stream);
      item.fold = 0;
      const ends = head?.fold > 0 && !head.ended && PYTHON.test(head.line) && PYTHON_END.test(item.line);
      item.ended = false;
      item.frame = folds && head && (isFrame(item) || (head.fold > 0 && isInner(item)) || ends);
      if (item.frame) {
        head.fold++;
        head.ended ||= ends;
      }
      else heads.set(item.stream, item);
      if (!item.frame || head.unfolded) out.push(item);
    }
    return newestFirst ? out.reverse() : out;
  }

  // The labels that all streams share. Each stream gets a short name of those in which they differ.
  nameStreams() {
    const all = [...this.streams.values()];
    const names = new Set(all.flatMap(({ labels }) => Object.keys(labels)));
    const value = ({ labels }, name) => (Object.hasOwn(labels, name) ? labels[name] : undefined);  // "constructor" may be a name
    const shared = [...names].sort().filter((name) => all.every((one) => value(one, name) === value(all[0], name)));
    let differ = [...new Set(["namespace", "app", "pod", "container", ...names])]
      .filter((name) => !shared.includes(name) && !/^(service_name|detected_level|level|filename|node_name|job|stream|__.*)$/.test(name));
    // A label that follows from another one says nothing: the namespace and the app of a pod.
    const kinds = (...some) => new Set(all.map((one) => some.map((name) => value(one, name)).join("\n"))).size;
    for (const name of [...differ]) {
      const others = differ.filter((one) => one !== name);
      if (others.some((other) => kinds(other) === kinds(other, name))) differ = others;
    }
    for (const stream of all) {
      stream.name = differ.map((name) => value(stream, name)).filter(Boolean).join(" ");
      stream.hue = Array.from(stream.name).reduce((hash, c) => (hash * 31 + c.codePointAt(0)) % 360, 7);
    }
    return shared.map((name) => [name, all[0].labels[name]]);
  }
}

// As weir reads them (weir-record(5)).
export const record = ({ ts, line, metadata, stream: { labels } }) =>
  JSON.stringify({ timestamp: ts, line, labels, ...(Object.keys(metadata).length && { metadata }) });

// The fields of a line of JSON, as Loki's parser names them; null: it is none.
export function jsonFields(text) {
  const out = [];
  const flatten = (object, prefix) => {
    for (const [key, one] of Object.entries(object)) {
      const name = prefix + key.replace(/\W/g, "_");
      if (one && typeof one === "object" && !Array.isArray(one)) flatten(one, name + "_");
      else out.push([name, typeof one === "string" ? one : JSON.stringify(one)]);
    }
  };
  try {
    if (/^\s*\{/.test(text)) flatten(JSON.parse(text), "");
  } catch {
    return null;
  }
  return out.length ? out : null;
}

// Those of a line of logfmt: two pairs or more, and little else.
function logfmtFields(text) {
  const pairs = [...text.slice(0, 20000).matchAll(/(?:^|\s)([^\s="]+)=("(?:\\.|[^"\\])*"|[^\s"]*)(?=\s|$)/g)];
  const length = pairs.reduce((sum, [found]) => sum + found.length, 0);
  if (pairs.length < 2 || length < text.length / 2) return null;
  return pairs.map(([, name, value]) => [name.replace(/\W/g, "_"), /^"/.test(value) ? value.slice(1, -1).replace(/\\(["\\])/g, "$1") : value]);
}

// ["JSON", fields] or ["logfmt", fields] of a line; the fields may be none.
export const fieldsOf = (text) => {
  const fields = jsonFields(text);
  return fields ? ["JSON", fields] : ["logfmt", logfmtFields(text) ?? []];
};
