// What lies in the spool, and whether it is delivered.

import { status } from "./api.js";
import { bytes, count, counted, duration, find, make, named } from "./dom.js";
import { clock, spool, state } from "./state.js";

const AHEAD = 5000;  // milliseconds that clocks may differ

function moment(text) {
  const ms = Date.parse(text);
  const ago = Date.now() - ms;
  const when = ago < -AHEAD ? `${duration(-ago)} ahead of this machine's clock` : ago < 1000 ? "now" : `${duration(ago)} ago`;
  return `${when} (${clock(ms).slice(0, 19)})`;
}

// [name, text] of each row; without text it is left out.
function rows(found) {
  const { records, tenants = [], writer, consumers = [] } = found;
  return [
    ["Spool", found.spool],
    ["Records", records ? `${count(records)} in ${counted(found.streams, "stream")}` + (found.line_bytes ? `, ${bytes(found.line_bytes)} of lines` : "") : "none yet"],
    ["Newest", found.newest && moment(found.newest)],
    ["Oldest", found.oldest && moment(found.oldest)],
    ["Size on disk", bytes(found.bytes) + (found.max_size ? ` of ${bytes(found.max_size)} at most` : "")],
    ["Written by", writer ? `${writer.command || "a process"} (process ${writer.pid})` : "no process at the moment"],
    ["It waits", writer?.blocked],
    ["This server", found.read_only ? "only reads" : "receives logs and reads them"],
    ...consumers.map(({ name, behind, connected }) => ["Delivery", `waiting to be delivered to Loki${name ? ` by ${name}` : ""}: ${counted(behind, "record")}` +
      (connected || !behind ? "" : "; no process delivers at the moment")]),
    ["Held by rules", found.held > 0 && counted(found.held, "record")],
    ["Refused by Loki", found.rejected > 0 && counted(found.rejected, "record")],
    ["Tenants", tenants.some(Boolean) && tenants.map((name) => name || "(without)").join(", ")],
    ["Version", `weir ${found.version}`],
  ].filter(([, text]) => text);
}

let asked = null;  // the question under way, {tenant, answer}: others of the same tenant wait for its answer

export function update() {
  if (asked?.tenant === state.tenant) return asked.answer;
  const mine = (asked = { tenant: state.tenant });
  const told = (found, table) => {
    if (asked === mine) show(found, table);
  };
  mine.answer = status().then((found) => told(found, rows(found)), ({ message }) => told({}, [["Error", `cannot read the status: ${message}`]]));
  return mine.answer.finally(() => (asked = asked === mine ? null : asked));
}

function show(found, table) {
  const ns = (text, more) => text && Date.parse(text) + more + "000000";
  const { exists, records, tenants } = found;
  Object.assign(spool, { oldest: ns(found.oldest, 0), newest: ns(found.newest, 1), records, exists, tenants, path: found.spool, seen: spool.seen || exists });
  find("spool-brief").textContent = found.records ? `${counted(found.records, "record")}, ${bytes(found.bytes)}` : "";
  find("spool-table").replaceChildren(...table.map((row) => named(...row)));
  find("tenants").replaceChildren(...(found.tenants ?? []).filter(Boolean).map((name) => make("option", { value: name })));
}
