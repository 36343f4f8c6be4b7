import assert from "node:assert/strict";
import * as api from "@opentelemetry/api";
import { StartTraces } from "./start_traces.ts";

const PARENT = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };

/** A span as it was ended. */
interface Ended {
  name: string;
  /** The name of the span above, or the id of a remote one. */
  below: string | undefined;
  attributes: api.Attributes;
  isError: boolean;
}

/** The library with a tracer that keeps what was ended, in that order: Deno's own would have to be on for all tests. */
function recording(): { ended: Ended[]; library: typeof api } {
  const ended: Ended[] = [];
  const names = new Map<string, string>();
  const startSpan = (name: string, options?: api.SpanOptions, context: api.Context = api.ROOT_CONTEXT) => {
    const above = api.trace.getSpanContext(context)?.spanId;
    const spanId = (names.size + 1).toString(16).padStart(16, "0");
    const record: Ended = {
      name,
      below: above && (names.get(above) ?? above),
      attributes: { ...options?.attributes },
      isError: false,
    };
    names.set(spanId, name);
    const span = Object.assign(api.trace.wrapSpanContext({ ...PARENT, spanId }), {
      setAttribute(key: string, value: api.AttributeValue) {
        record.attributes[key] = value;
        return span;
      },
      setAttributes(attributes: api.Attributes) {
        Object.assign(record.attributes, attributes);
        return span;
      },
      setStatus({ code }: api.SpanStatus) {
        record.isError = code === api.SpanStatusCode.ERROR;
        return span;
      },
      end: () => void ended.push(record),
    });
    return span;
  };
  const trace = { ...api.trace, getTracer: () => ({ startSpan }), setSpan: api.trace.setSpan };
  return { ended, library: { ...api, trace: trace as unknown as api.TraceAPI } };
}

Deno.test("a start is a span below its request's, and each step one below that until the next begins", () => {
  const { ended, library } = recording();
  const traces = new StartTraces(library, "test");
  const end = traces.begin("d1", PARENT);
  traces.step("d2", "isolate.boot");
  traces.step("d1", "program.handover");
  traces.step("d1", "isolate.boot");
  end({ isolateId: "i1", socketPath: "/s" });
  traces.step("d1", "isolate.boot");
  const start = { name: "isolate.start", below: PARENT.spanId, isError: false };
  assert.deepEqual(ended, [
    { name: "sandbox.take", below: "isolate.start", attributes: {}, isError: false },
    { name: "program.handover", below: "isolate.start", attributes: {}, isError: false },
    { name: "isolate.boot", below: "isolate.start", attributes: {}, isError: false },
    { ...start, attributes: { "isola.deployment.id": "d1", "isola.isolate.id": "i1" } },
  ]);
});

Deno.test("a start that fails says so in the step that it failed in", () => {
  const { ended, library } = recording();
  const traces = new StartTraces(library, "test");
  const end = traces.begin("d1", PARENT);
  traces.step("d1", "isolate.boot");
  end({ code: "BOOT_TIMEOUT" });
  const errors = ended.filter(({ isError }) => isError).map(({ name, attributes }) => [name, attributes]);
  assert.deepEqual(errors, [
    ["isolate.boot", { "error.type": "BOOT_TIMEOUT" }],
    ["isolate.start", { "isola.deployment.id": "d1", "error.type": "BOOT_TIMEOUT" }],
  ]);
});

Deno.test("requests of several runners that wait for one start are one span, and the next start another", () => {
  const { ended, library } = recording();
  const traces = new StartTraces(library, "test");
  const granted = { isolateId: "i1", socketPath: "/s" };
  const ends = [traces.begin("d1", PARENT), traces.begin("d1", PARENT)];
  for (const end of ends) end(granted);
  assert.equal(ended.filter(({ name }) => name === "isolate.start").length, 1);
  traces.begin("d1", PARENT)(granted);
  assert.equal(ended.filter(({ name }) => name === "isolate.start").length, 2);
});
