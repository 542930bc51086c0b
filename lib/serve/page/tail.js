// New lines as they come, by a WebSocket. Where none can be had, the page asks every second. A connection that ended begins again with
// what came meanwhile. What is known of the last moment is not told twice.

import { tailSocket, view } from "./api.js";
import { say } from "./dom.js";
import { now } from "./state.js";

const MOST = 5000;   // lines of what came meanwhile, in one answer
const AGAIN = 1000;  // milliseconds between two questions
const KNOWN = 20000; // lines that are remembered
const TRIES = 3;     // so often the WebSocket is tried again at once, and again each 30 questions

const keyOf = ({ ts, labels, metadata, parsed, line }) =>
  JSON.stringify([ts, Object.entries({ ...labels, ...metadata, ...parsed, detected_level: "" }).sort(), line]);

// got(objects): lines as the view has them, with `labels`, from the moment `since` on, but for those of `seen`. Returns what ends it.
export function follow({ query, since, seen, got }) {
  const ends = new AbortController();
  const { signal } = ends;
  let last = BigInt(since);  // where the next question begins: never later than now, or one record of a wrong clock would end it all
  const known = new Map();   // lines that are not older, with their times
  for (const one of seen) known.set(keyOf(one), BigInt(one.ts));
  let socket = null;
  let failures = 0;
  let complained = false;

  // Lines that are older than the last one come late: they are told.
  function take(objects) {
    const until = now();
    const before = last;
    got(objects.filter((object) => {
      const ts = BigInt(object.ts);
      if (ts < last) return true;
      if (ts <= until) last = ts;
      const key = keyOf(object);
      return !known.has(key) && known.set(key, ts);
    }));
    for (const [key, ts] of last > before ? known : []) if (ts < last) known.delete(key);
    // Where all are ahead of this clock, the page need not remember them for ever.
    for (const key of known.keys()) {
      if (known.size <= KNOWN) break;
      known.delete(key);
    }
  }

  const again = (call, ms) => setTimeout(() => signal.aborted || call(), ms);

  function listen() {
    socket = tailSocket({ query, start: last, limit: MOST });
    socket.onopen = () => (failures = 0);
    socket.onmessage = ({ data }) => {
      if (signal.aborted) return;
      const { streams, dropped_entries: dropped } = JSON.parse(data);
      take((streams ?? []).flatMap(({ stream: labels, values }) =>
        values.map(([ts, line, { structuredMetadata: metadata, parsed, level }]) => ({ ts, line, labels, metadata, parsed, level }))));
      if (dropped) say(`the server left out ${dropped.length} lines: this page reads too slowly`);
    };
    socket.onclose = () => {
      failures++;
      if (!signal.aborted) again(poll, AGAIN / 2);
    };
  }

  async function poll() {
    const streams = new Map();
    const objects = [];
    const before = last;
    const handlers = { stream: ({ id, labels }) => streams.set(id, labels), line: (object) => objects.push({ ...object, labels: streams.get(object.s) }) };
    try {
      await view({ query, start: last, limit: MOST, direction: "forward", buckets: 0 }, handlers, signal);
      take(objects);
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      complained = true;
      say(`no live lines: ${error.message}`);
      return again(poll, AGAIN);
    }
    if (complained) say("live again");
    complained = false;
    if (objects.length >= MOST && last > before) return poll();
    if (failures % 30 < TRIES) return listen();
    failures++;
    again(poll, AGAIN);
  }

  listen();
  return () => {
    ends.abort();
    socket?.close();
  };
}
