// What lies in the spool, and whether it is delivered.

import { status } from "./api.js";
import { bytes, count, find, make } from "./dom.js";
import { clock, spool } from "./state.js";

function print(name, value) {
  if (/bytes|size/.test(name)) return bytes(value);
  if (/est$/.test(name)) return clock(Date.parse(value));
  if (typeof value === "number") return count(value);
  return [value].flat().map((one) => (one?.name || one?.command) ?? one).join(`, `);
}

export async function update() {
  const found = await status().catch(({ message }) => ({ message }));
  spool.oldest = (Date.parse(found.oldest) || 0) + "000000";
  spool.newest = (Date.parse(found.newest) || 0) + 1 + "000000";
  if (found.records) find("spool-brief").textContent = `${count(found.records)} records, ${bytes(found.bytes)}`;
  find("spool-table").replaceChildren(...Object.entries(found)
    .map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name.replace("_", " ")), make("td", {}, print(name, value ?? "none")))));
}
