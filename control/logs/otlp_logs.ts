import { setTimeout as delay } from "node:timers/promises";
import { readRetryAfter } from "../certificates/acme/retry_after.ts";
import type { LogLevel } from "../model.ts";
import { inOneLine } from "../text/one_line.ts";
import { readAnswerStart } from "../http/read_answer_start.ts";
import { otlpRequest, type OtlpResource } from "./otlp_request.ts";

/** Records that wait to be sent; more are dropped and counted. */
export const MAX_QUEUE = 20_000;
/** Records of one request: about 1 ms of the event loop. */
const BATCH = 256;
const REQUEST_TIMEOUT_MS = 10_000;
/** Of an answer: more is not read. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** Shown of what a collector says. */
const MAX_REASON_LENGTH = 500;
const MAX_RETRY_MS = 60_000;
/** Then the records of the request are dropped. */
const MAX_ATTEMPTS = 10;
/** OTLP, "OTLP/HTTP Response": all other refusals are final. */
const RETRYABLE = [429, 502, 503, 504];

/** One log record, on its way to a collector. */
export interface OtlpRecord {
  deploymentId: string;
  region: string;
  /** ISO 8601. */
  time: string;
  level: LogLevel;
  body: string;
  /** 32 hexadecimal digits. */
  traceId?: string;
  /** By the names of the semantic conventions. */
  attributes?: Readonly<Record<string, string | number>>;
}

/** Where to, and whose. */
export interface OtlpLogsOptions {
  /** Of the collector's logs: `https://collector.example/v1/logs`. */
  url: string;
  headers: Readonly<Record<string, string>>;
  /** What is known of a deployment. */
  resource(deploymentId: string): OtlpResource;
  /** How long a record waits for others. @default {1000} */
  gatherMs?: number;
  /** Before the first repetition of a request; doubled for each further one. @default {1000} */
  minRetryMs?: number;
  /** How long what waits may take at the end. @default {2000} */
  closeTimeoutMs?: number;
}

/** What became of a request: the records that were refused, or how long to wait before it is sent again. */
type Outcome = { refused: number; reason: string } | { retryAfterMs: number; reason: string };

/**
 * Sends log records to an OpenTelemetry collector: OTLP over HTTP with JSON, in batches, one request at a time. Nobody
 * waits for it: what cannot be sent is dropped, counted, and the server's log says so.
 */
export class OtlpLogs implements AsyncDisposable {
  readonly #options: Required<OtlpLogsOptions>;
  /** Nothing is gathered any more, and nothing sent again. */
  readonly #closing = new AbortController();
  /** Nothing is sent any more. */
  readonly #late = new AbortController();
  #queue: OtlpRecord[] = [];
  #sending: Promise<void> | null = null;
  #sent = 0;
  #dropped = 0;
  #reportedDropped = 0;

  constructor(options: OtlpLogsOptions) {
    this.#options = { gatherMs: 1000, minRetryMs: 1000, closeTimeoutMs: 2000, ...options };
  }

  /** Records since the start, by what became of them. */
  get counts(): { sent: number; dropped: number } {
    return { sent: this.#sent, dropped: this.#dropped };
  }

  /** Takes records in. */
  add(records: readonly OtlpRecord[]): void {
    if (this.#closing.signal.aborted) return;
    for (const record of records) {
      if (this.#queue.length < MAX_QUEUE) this.#queue.push(record);
      else this.#dropped++;
    }
    this.#sending ??= this.#sendAll()
      .catch((error) => console.error("Cannot send log records:", error))
      .finally(() => this.#sending = null);
  }

  /** Sends what waits, for as long as it may take. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const timer = setTimeout(() => this.#late.abort(), this.#options.closeTimeoutMs);
    await this.#sending;
    clearTimeout(timer);
  }

  async #sendAll(): Promise<void> {
    await this.#wait(this.#options.gatherMs);
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH);
      const { refused, reason } = await this.#sendBatch(batch);
      this.#sent += batch.length - refused;
      this.#dropped += refused;
      this.#reportDropped(reason);
      if (this.#queue.length < BATCH) await this.#wait(this.#options.gatherMs);
    }
  }

  async #sendBatch(batch: readonly OtlpRecord[]): Promise<{ refused: number; reason: string }> {
    const { resource, minRetryMs } = this.#options;
    const body = otlpRequest(batch, resource, Date.now());
    for (let attempt = 1;; attempt++) {
      const outcome = await this.#attempt(body);
      if ("refused" in outcome) return { ...outcome, refused: Math.min(outcome.refused, batch.length) };
      const isLast = attempt === MAX_ATTEMPTS || this.#closing.signal.aborted;
      if (isLast) return { refused: batch.length, reason: outcome.reason };
      const backoffMs = minRetryMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
      await this.#wait(Math.min(MAX_RETRY_MS, Math.max(backoffMs, outcome.retryAfterMs)));
    }
  }

  async #attempt(body: string): Promise<Outcome> {
    try {
      const response = await fetch(this.#options.url, {
        method: "POST",
        headers: { ...this.#options.headers, "content-type": "application/json" },
        body,
        redirect: "error",
        signal: AbortSignal.any([AbortSignal.timeout(REQUEST_TIMEOUT_MS), this.#late.signal]),
      });
      const answer = await readAnswerStart(response, MAX_ANSWER_BYTES);
      if (response.ok) return partialSuccess(answer);
      const reason = `the collector answered ${response.status}`;
      return RETRYABLE.includes(response.status)
        ? { retryAfterMs: readRetryAfter(response.headers.get("retry-after"), Date.now()) ?? 0, reason }
        : { refused: Infinity, reason };
    } catch (error) {
      return { retryAfterMs: 0, reason: (error as Error).message };
    }
  }

  /** Waits; not any more once it is closing. */
  async #wait(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#closing.signal }).catch(() => {});
  }

  #reportDropped(reason: string): void {
    const dropped = this.#dropped - this.#reportedDropped;
    if (dropped === 0) return;
    this.#reportedDropped = this.#dropped;
    console.error(`Cannot send ${dropped} log records to "${new URL(this.#options.url).host}": ${reason}`);
  }
}

/** `ExportLogsServiceResponse`; a collector that says nothing has taken all. */
function partialSuccess(answer: string): Outcome {
  try {
    const { rejectedLogRecords = 0, errorMessage = "" } = JSON.parse(answer).partialSuccess ?? {};
    return {
      refused: Math.max(0, Number(rejectedLogRecords) || 0),
      reason: `the collector rejected them: ${inOneLine(String(errorMessage), MAX_REASON_LENGTH)}`,
    };
  } catch {
    return { refused: 0, reason: "" };
  }
}
