// New lines as they come: by a WebSocket; or by asking every second, where there is none, and for a tenant, whose name a page cannot
// send with a WebSocket, and for {}, which Loki's tail refuses. What is known of the last moment is not told twice.

import { tailSocket, view } from "./api.js";
import { say } from "./dom.js";
import { state } from "./state.js";

// The view tells the level apart from the metadata, and the WebSocket does not.
const keyOf = ({ labels, metadata, parsed, line }) =>
  JSON.stringify([Object.entries({ ...labels, ...metadata, ...parsed, detected_level: "" }).sort(), line]);

// got(objects): lines as the view has them, with `labels`, after the moment `since`, of which `seen` are known. Returns what ends it.
export function follow({ query, since, seen, isLabel, got }) {
  const ends = new AbortController();
  let last = since;
  let known = new Set(seen.map(keyOf));
  let socket = null;
  let failures = 0;

  function take(objects) {
    got(objects.filter((object) => {
      if (BigInt(object.ts) > BigInt(last)) [last, known] = [object.ts, new Set()];
      const key = keyOf(object);
      return object.ts !== last ? BigInt(object.ts) > BigInt(since) : !known.has(key) && known.add(key);
    }));
  }

  const again = (call, ms) => ends.signal.aborted || setTimeout(() => ends.signal.aborted || call(), ms);

  function listen() {
    socket = tailSocket({ query, start: last, limit: 1000 });
    socket.onmessage = ({ data }) => {
      failures = 0;
      const { streams, dropped_entries: dropped } = JSON.parse(data);
      take((streams ?? []).flatMap(({ stream, values }) => values.map(([ts, line]) => {
        const all = Object.entries(stream);
        return { ts, line, labels: Object.fromEntries(all.filter(([name]) => isLabel(name))), metadata: Object.fromEntries(all.filter(([name]) => !isLabel(name))),
          level: stream.detected_level ?? stream.level };
      })));
      if (dropped) say(`the server left out ${dropped.length} lines: this page reads too slowly`);
    };
    socket.onclose = () => again(++failures > 2 ? poll : listen, 500);
  }

  async function poll() {
    const streams = new Map();
    const objects = [];
    const handlers = { stream: ({ id, labels }) => streams.set(id, labels), line: (object) => objects.push({ ...object, labels: streams.get(object.s) }) };
    await view({ query, start: last, limit: 5000, direction: "forward" }, handlers, ends.signal).then(() => take(objects), (error) => ends.signal.aborted || say(error.message));
    again(poll, 1000);
  }

  state.tenant || /^\{\s*\}/.test(query) ? poll() : listen();
  return () => {
    ends.abort();
    socket?.close();
  };
}
