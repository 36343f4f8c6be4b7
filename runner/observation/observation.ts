import type { AccessEntry, TraceContext } from "../contract.ts";
import type { ByteBuffer } from "../http1/byte_buffer.ts";
import type { ErrorCode } from "../errors.ts";
import { fieldIn, pathIn } from "../http1/outbound_head.ts";
import type { RequestHead } from "../http1/request_head.ts";
import type { VisitorConnection } from "../http1/visitor_connection.ts";
import type { Outcome, RequestTrace, WaitSpan } from "./telemetry.ts";

/** What is looked at. */
export interface ObservedRequest {
  head: RequestHead;
  /** The head that the isolate gets. */
  sent: ByteBuffer;
  visitor: VisitorConnection;
}

/** What an observation is of, and whom it is told. */
export interface ObservationOptions extends ObservedRequest {
  deploymentId: string;
  /** `null` = telemetry is off. */
  trace: RequestTrace | null;
  /** `null` = there is no access log. */
  record: ((entry: AccessEntry) => void) | null;
}

/** `00-` and the id. */
const TRACE_ID_START = 3;
const TRACE_ID_END = 35;

/** What happens to one request, for those who want to know of it when it is over. */
export class Observation {
  readonly #options: ObservationOptions;
  readonly #timeMs = Date.now();
  readonly #startedAt = performance.now();
  #wait: WaitSpan | null = null;
  #status: number | null = null;
  #isComplete = true;
  #isolateId: string | null = null;
  #isCold = false;
  #errorCode: ErrorCode | null = null;
  #requestId: string | null = null;

  constructor(options: ObservationOptions) {
    this.#options = options;
  }

  /** What the isolate is to be a part of; `null` = of what the visitor says. */
  get context(): TraceContext | null {
    return this.#options.trace?.context ?? null;
  }

  /**
   * It waits for a place.
   *
   * @param isCold There is no isolate yet.
   * @returns What an isolate's start is a part of.
   */
  waits(isCold: boolean): TraceContext | undefined {
    this.#isCold ||= isCold;
    this.#wait = this.#options.trace?.wait() ?? null;
    return this.#wait?.context;
  }

  /** The wait is over, for better or worse. */
  waited(): void {
    this.#wait?.end();
    this.#wait = null;
  }

  /** It has a place. */
  entered(isolateId: string): void {
    this.#isolateId = isolateId;
  }

  /**
   * The response begins.
   *
   * @param requestId That an error page tells.
   */
  answered(status: number, requestId: string | null = null): void {
    this.#status = status;
    this.#requestId = requestId;
  }

  /** There is no response, or it breaks off; perhaps an error page takes its place. */
  failed(code: ErrorCode): void {
    this.#isComplete = false;
    if (!this.#options.visitor.gone) this.#errorCode = code;
  }

  /** It is over. */
  end(): void {
    const { record, trace, sent } = this.#options;
    const outcome = this.#outcome();
    const entry = record !== null || trace?.isSampled === true ? this.#entry(outcome) : null;
    trace?.end(outcome, entry && { entry, sent });
    if (entry !== null) record?.(entry);
  }

  #entry(outcome: Outcome): AccessEntry {
    const { deploymentId, head, visitor, sent } = this.#options;
    return {
      timeMs: this.#timeMs,
      host: (head.relayed?.authority ?? head.authority).hostname,
      path: pathIn(sent),
      ...outcome,
      requestBytes: visitor.requestBytes,
      responseBytes: visitor.responseBytes,
      deploymentId,
      isolateId: this.#isolateId,
      requestId: this.#requestId,
      address: head.client.address,
      traceId: fieldIn(sent, "traceparent")!.slice(TRACE_ID_START, TRACE_ID_END),
      cold: this.#isCold,
    };
  }

  #outcome(): Outcome {
    const { head, visitor } = this.#options;
    const isWebSocket = this.#status === 101;
    return {
      method: head.method,
      protocol: isWebSocket ? "WebSocket" : visitor.isHttp2 ? "HTTP/2" : "HTTP/1.1",
      status: this.#status,
      durationMs: Math.round((performance.now() - this.#startedAt) * 1000) / 1000,
      errorCode: this.#errorCode,
      // A page in place of a response is whole.
      complete: this.#isComplete || (this.#requestId !== null && !visitor.gone),
    };
  }
}
