// What the server is asked. Addresses are relative, so that the page also works behind a proxy's prefix.

import { limited, sent, state } from "./state.js";

// A BigInt is a time.
const parameters = (given) => new URLSearchParams(Object.entries(given).filter(([, value]) => value || value === 0)
  .map(([name, value]) => [name, typeof value === "bigint" ? sent(value) : value]));

// An error has {message, hint, line, col}: the place in the query counts from 1. Loki's are text, at times with
// a line 0, and weir's own JSON.
function failure(text) {
  try {
    return Object.assign(new Error(), JSON.parse(text));
  } catch {
    const [, line, col] = /line (\d+),\s*col\D+(\d+)/.exec(text) ?? [];
    return Object.assign(new Error(text.trim()), { line: +line || 1, col: +col });
  }
}

async function ask(path, given = {}, signal = null) {
  const answer = await fetch(path + "?" + parameters(given), { signal, headers: state.tenant ? { "X-Scope-OrgID": state.tenant } : {} })
    .catch((error) => {
      throw error.name === "AbortError" ? error : Object.assign(error, { message: "cannot reach the server", hint: "Does 'weir serve' still run?" });
    });
  if (!answer.ok) throw failure((await answer.text()) || `the server answered ${answer.status}`);
  return answer;
}

// Calls handlers[type](object) for each object of the answer, and returns the last. A long one lets the page breathe.
export async function view(given, handlers, signal) {
  const reader = (await ask("weir/api/v1/view", given, signal)).body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let worked = performance.now();
  try {
    for (let done = false; !done;) {
      const got = await reader.read();
      signal?.throwIfAborted();
      done = got.done;
      const parts = (rest + (got.value ?? "\n")).split("\n");
      rest = parts.pop();
      for (const part of parts.filter(Boolean)) {
        const object = JSON.parse(part);
        if (object.type === "error") throw failure(part);
        if (object.type === "end") return object;
        handlers[object.type]?.(object);
        if (performance.now() - worked < 12) continue;
        await new Promise((resume) => setTimeout(resume));
        signal?.throwIfAborted();
        worked = performance.now();
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  throw failure("the answer ended too early");
}

const json = async (...given) => (await ask(...given)).json();
const data = async (path, given, signal) => (await json("loki/api/v1/" + path, given, signal)).data ?? [];
// Of the range that is shown.
const times = () => {
  const { start, end } = limited();
  return { start, end: end + 1n };
};
export const context = (...given) => json("weir/api/v1/context", ...given);
export const status = () => json("weir/api/v1/status");
export const labelNames = (signal) => data("labels", times(), signal);
export const labelValues = (name, query = "", signal = null) => data(`label/${encodeURIComponent(name)}/values`, { query, ...times() }, signal);
export const metric = (...given) => data("query_range", ...given);

// A browser cannot set a header of a WebSocket, so the tenant is a parameter.
export function tailSocket(given) {
  const url = new URL("weir/api/v1/tail?" + parameters({ ...given, tenant: state.tenant }), location.href.split("#")[0]);
  url.protocol = url.protocol.replace("http", "ws");
  return new WebSocket(url);
}
