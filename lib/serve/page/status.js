// What lies in the spool, and whether it is delivered.

import { status } from "./api.js";
import { bytes, count, find, make } from "./dom.js";
import { clock, toMs } from "./state.js";

function print(name, value) {
  if (name === "size") return bytes(value);
  if (/^(oldest|newest)$/.test(name)) return clock(toMs(value));
  return typeof value === "number" ? count(value) : [value].flat().join(`, `);
}

export async function update() {
  const found = await status().catch(({ message }) => ({ message }));
  if (!found.message) find("spool-brief").textContent = `${count(found.records)} records, ${bytes(found.size)}`;
  find("spool-table").replaceChildren(...Object.entries(found)
    .map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name.replace("_", " ")), make("td", {}, print(name, value)))));
}
