import assert from "node:assert/strict";
import type { TraceContext } from "../contract.ts";
import { ByteBuffer } from "./byte_buffer.ts";
import { readTraceparent, type TraceFields, writeTrace } from "./trace_context.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT = `00-${TRACE_ID}-b7ad6b7169203331-01`;
/** Nothing of these is a trace (W3C Trace Context §3.2). */
const INVALID = [
  "",
  "x",
  `${TRACEPARENT}-00`,
  TRACEPARENT.toUpperCase(),
  `ff${TRACEPARENT.slice(2)}`,
  `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
  `00-${TRACE_ID}-${"0".repeat(16)}-01`,
  `${TRACEPARENT}, ${TRACEPARENT}`,
];

/** The trace fields that an isolate gets. */
function written(fields: Partial<TraceFields>, ours?: TraceContext): Record<string, string> {
  const out = new ByteBuffer();
  writeTrace({ traceparent: null, tracestate: null, ...fields }, out, ours);
  const lines = new TextDecoder().decode(out.view).split("\r\n").slice(0, -1);
  return Object.fromEntries(lines.map((line) => line.split(": ")));
}

Deno.test("a valid trace goes on and any other is replaced together with its state", () => {
  const tracestate = "a=1";
  assert.deepEqual(written({ traceparent: TRACEPARENT, tracestate }), {
    traceparent: TRACEPARENT,
    tracestate,
  });
  for (const bad of INVALID) {
    const made = written({ traceparent: bad, tracestate });
    assert.match(made["traceparent"]!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    assert.notEqual(made["traceparent"], bad);
    assert.equal(made["tracestate"], undefined);
  }
  const later = `01${TRACEPARENT.slice(2)}-x`;
  assert.equal(written({ traceparent: later })["traceparent"], later);
  assert.notEqual(written({})["traceparent"], written({})["traceparent"]);
});

Deno.test("a span of ours takes the parent's place, and the state goes on", () => {
  const ours = { traceId: TRACE_ID, spanId: "00f067aa0ba902b7", traceFlags: 1 };
  const traceparent = `00-${TRACE_ID}-00f067aa0ba902b7-01`;
  assert.deepEqual(written({ traceparent: TRACEPARENT, tracestate: "a=1" }, ours), {
    traceparent,
    tracestate: "a=1",
  });
  assert.deepEqual(written({ traceparent: "x", tracestate: "a=1" }, ours), { traceparent });
  assert.match(written({}, { ...ours, traceFlags: 0 })["traceparent"]!, /-00$/);
});

Deno.test("a traceparent is read strictly", () => {
  const context = { traceId: TRACE_ID, spanId: "b7ad6b7169203331", traceFlags: 1 };
  assert.deepEqual(readTraceparent(TRACEPARENT), context);
  assert.deepEqual(readTraceparent(`cc${TRACEPARENT.slice(2, -2)}03-what-ever`), {
    ...context,
    traceFlags: 3,
  });
  for (const bad of INVALID) assert.equal(readTraceparent(bad), null, bad);
});
