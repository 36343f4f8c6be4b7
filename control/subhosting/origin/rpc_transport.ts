import { networkFailure } from "../../certificates/acme/network_failure.ts";
import { readRetryAfter } from "../../certificates/acme/retry_after.ts";
import { CallFailure } from "./call_failure.ts";
import type { OriginClock } from "./origin_clock.ts";

/** One try of a call. */
export interface RpcRequest {
  url: string;
  token: string;
  /** NDJSON, compressed with gzip; `null` = it is a GET. */
  events: Uint8Array<ArrayBuffer> | null;
  /** From the beginning to the answer's headers. */
  headersTimeoutMs: number;
}

/** Which statuses say that the origin, or what stands before it, is in trouble as a whole; other 5xx may be of one call. */
const TROUBLE = [429, 502, 503, 504];
/** An origin that wants more patience gets so much. */
const MAX_RETRY_AFTER_MS = 30_000;

const HINTS: Readonly<Record<number, string>> = {
  401: ". Does the origin have the same secret?",
  403: ". Does the origin accept this token?",
};

/** HTTP to origins, over connections of its own. */
export class RpcTransport implements Disposable {
  readonly #client = Deno.createHttpClient({});
  readonly #clock: OriginClock;

  constructor(clock: OriginClock) {
    this.#clock = clock;
  }

  /**
   * Sends a request.
   *
   * @returns The answer if it has the right status.
   * @throws {CallFailure}
   * @throws the signal's reason
   */
  async send({ url, token, events, headersTimeoutMs }: RpcRequest, signal: AbortSignal): Promise<Response> {
    signal.throwIfAborted();
    const late = new AbortController();
    const stopWaiting = this.#clock.after(headersTimeoutMs, () => late.abort(noAnswer(headersTimeoutMs)));
    const either = AbortSignal.any([signal, late.signal]);
    try {
      const response = await fetch(url, {
        method: events === null ? "GET" : "POST",
        headers: {
          ...(events === null ? {} : EVENTS_HEADERS),
          "user-agent": "isola",
          authorization: `Bearer ${token}`,
        },
        body: events,
        redirect: "manual",
        client: this.#client,
        signal: either,
      });
      if (events === null ? response.status === 200 : response.ok) return response;
      await response.body?.cancel().catch(() => {});
      throw refused(response);
    } catch (cause) {
      if (cause instanceof CallFailure) throw cause;
      either.throwIfAborted();
      throw notReached(cause);
    } finally {
      stopWaiting();
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

const EVENTS_HEADERS = { "content-type": "application/x-ndjson", "content-encoding": "gzip" };

function refused({ status, headers }: Response): CallFailure {
  const isInTrouble = TROUBLE.includes(status);
  const retryAfterMs = isInTrouble ? readRetryAfter(headers.get("retry-after"), Date.now()) : null;
  return new CallFailure(codeOf(status), `it answered ${status}${hint(status)}`, {
    status,
    isPassing: isInTrouble || status >= 500,
    isDead: isInTrouble,
    ...(retryAfterMs === null ? {} : { retryAfterMs: Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) }),
  });
}

function codeOf(status: number): CallFailure["code"] {
  if (status === 404) return "not_found";
  return status === 429 || status >= 500 ? "unavailable" : "invalid";
}

function hint(status: number): string {
  return status >= 300 && status < 400 ? ", but redirects are not followed" : HINTS[status] ?? "";
}

function noAnswer(timeoutMs: number): CallFailure {
  return new CallFailure("unavailable", `no answer came within ${timeoutMs}ms`, {
    isPassing: true,
    isDead: true,
  });
}

function notReached(cause: unknown): CallFailure {
  // "error sending request … for URL (ADDRESS): client error (Connect): REASON"
  const reason = networkFailure(cause).split(/client error \(\w+\): /).at(-1);
  return new CallFailure("unavailable", `it cannot be reached: ${reason}`, {
    isPassing: true,
    isDead: true,
    isUnreachable: true,
    cause,
  });
}
