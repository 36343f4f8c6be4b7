import type { Attributes, Histogram, Span, SpanStatusCode, Tracer } from "@opentelemetry/api";
import type { AccessEntry, TraceContext } from "../contract.ts";
import type { ByteBuffer } from "../http1/byte_buffer.ts";
import { fieldIn } from "../http1/outbound_head.ts";
import type { RequestHead } from "../http1/request_head.ts";
import { readTraceparent } from "../http1/trace_context.ts";

type Api = typeof import("@opentelemetry/api");

/** Where the registered implementation of `@opentelemetry/api` is found: Deno's own, in every thread, if it is on. */
const API_SYMBOL = Symbol.for("opentelemetry.js.api.1");
const SCOPE = "isola.runner";
const SAMPLED = 1;
/** `SpanStatusCode.ERROR` of a library that is loaded later. */
const ERROR_STATUS: SpanStatusCode.ERROR = 2;
const MAX_USER_AGENT_CHARACTERS = 512;
/** Methods that may name a span and a series (semantic conventions for HTTP); strangers make up others. */
const KNOWN_METHODS: ReadonlySet<string> = new Set(
  ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"],
);
/** Seconds, as the semantic conventions advise for `http.server.request.duration`. */
const DURATION_BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Traces and measures requests through `@opentelemetry/api`, by the semantic conventions for HTTP servers. */
export class Telemetry {
  readonly #api: Api;
  readonly #tracer: Tracer;
  readonly #duration: Histogram;

  private constructor(api: Api) {
    this.#api = api;
    this.#tracer = api.trace.getTracer(SCOPE);
    this.#duration = api.metrics.getMeter(SCOPE).createHistogram("http.server.request.duration", {
      description: "Duration of HTTP server requests.",
      unit: "s",
      advice: { explicitBucketBoundaries: DURATION_BOUNDARIES },
    });
  }

  /** `null` = Deno exports nothing (`OTEL_DENO`), and nothing is loaded. */
  static async load(): Promise<Telemetry | null> {
    return API_SYMBOL in globalThis ? new Telemetry(await import("@opentelemetry/api")) : null;
  }

  /** A request has come. */
  begin(head: RequestHead): RequestTrace {
    const { method, traceparent } = head;
    const { trace, ROOT_CONTEXT, SpanKind } = this.#api;
    const remote = traceparent === null ? null : readTraceparent(traceparent);
    const parent = remote === null
      ? ROOT_CONTEXT
      : trace.setSpanContext(ROOT_CONTEXT, { ...remote, isRemote: true });
    const name = KNOWN_METHODS.has(method) ? method : "HTTP";
    const span = this.#tracer.startSpan(name, { kind: SpanKind.SERVER }, parent);
    const context = span.spanContext();
    const isSampled = (context.traceFlags & SAMPLED) !== 0;
    const goesOn = this.#api.isSpanContextValid(context) && (isSampled || remote === null);
    return new RequestTrace(this, {
      head,
      span,
      context: goesOn ? contextOf(span) : null,
      isSampled,
    });
  }

  /** A span of this thread below another. */
  child(name: string, parent: Span): Span {
    const { trace, ROOT_CONTEXT } = this.#api;
    return this.#tracer.startSpan(name, {}, trace.setSpan(ROOT_CONTEXT, parent));
  }

  /** A request of this scheme is over. */
  measure(
    scheme: string,
    { method, protocol, status, complete, errorCode, durationMs }: Outcome,
  ): Attributes {
    const isFailed = status === null || status >= 500 || !complete;
    const attributes = {
      "http.request.method": KNOWN_METHODS.has(method) ? method : "_OTHER",
      "url.scheme": scheme,
      "network.protocol.version": protocol === "HTTP/2" ? "2" : "1.1",
      ...status !== null && { "http.response.status_code": status },
      ...isFailed && { "error.type": errorCode ?? String(status ?? "aborted") },
    };
    this.#duration.record(durationMs / 1000, attributes);
    return attributes;
  }
}

interface RequestTraceOptions {
  head: RequestHead;
  span: Span;
  context: TraceContext | null;
  isSampled: boolean;
}

/** How a request ended. */
export type Outcome = Pick<
  AccessEntry,
  "method" | "protocol" | "status" | "complete" | "errorCode" | "durationMs"
>;

/** One request as a span, whose children are what it waits for. */
export class RequestTrace {
  readonly #telemetry: Telemetry;
  readonly #options: RequestTraceOptions;

  constructor(telemetry: Telemetry, options: RequestTraceOptions) {
    this.#telemetry = telemetry;
    this.#options = options;
  }

  /** What the isolate goes on with; `null` = with what the visitor said, as nobody records this here. */
  get context(): TraceContext | null {
    return this.#options.context;
  }

  /** Somebody will see the span. */
  get isSampled(): boolean {
    return this.#options.isSampled;
  }

  /** It waits for a place in an isolate. */
  wait(): WaitSpan {
    const span = this.#telemetry.child("isolate.wait", this.#options.span);
    return { context: contextOf(span), end: () => span.end() };
  }

  /**
   * It is over.
   *
   * @param details `null` unless it is sampled: what else there is to say, and the head that the isolate got.
   */
  end(outcome: Outcome, details: { entry: AccessEntry; sent: ByteBuffer } | null): void {
    const { span, head } = this.#options;
    const attributes = this.#telemetry.measure(head.client.proto, outcome);
    if (details !== null && this.isSampled) {
      span.setAttributes({ ...attributes, ...detailsOf(details.entry, details.sent) });
      if ("error.type" in attributes) span.setStatus({ code: ERROR_STATUS });
    }
    span.end();
  }
}

/** How long a request waited. */
export interface WaitSpan {
  context: TraceContext;
  end(): void;
}

function detailsOf(entry: AccessEntry, sent: ByteBuffer): Attributes {
  const userAgent = fieldIn(sent, "user-agent")?.slice(0, MAX_USER_AGENT_CHARACTERS);
  return {
    ...!KNOWN_METHODS.has(entry.method) && { "http.request.method_original": entry.method },
    "url.path": entry.path,
    "server.address": entry.host,
    "client.address": entry.address,
    ...userAgent !== undefined && { "user_agent.original": userAgent },
    "isola.deployment.id": entry.deploymentId,
    ...entry.isolateId !== null && { "isola.isolate.id": entry.isolateId },
    "isola.cold_start": entry.cold,
  };
}

/** As plain data. */
function contextOf(span: Span): TraceContext {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return { traceId, spanId, traceFlags };
}
