import { setTimeout as delay } from "node:timers/promises";
import type { AccountKey } from "./account_key.ts";
import { AcmeError } from "./acme_error.ts";
import { Answer } from "./answer.ts";
import { networkFailure } from "./network_failure.ts";
import { explainProblem, readProblem } from "./problem_words.ts";
import { readRetryAfter } from "./retry_after.ts";

/** What an ACME server answered, read whole. */
export interface AcmeResponse {
  headers: Headers;
  text: string;
  retryAfterMs: number | null;
}

/** Who signs a request. */
export interface Signer {
  key: AccountKey;
  /** `null` = there is no account yet. */
  accountUrl: string | null;
}

const REQUEST_TIMEOUT_MS = 15_000;
/** A chain of certificates has some 6 KB. */
const MAX_RESPONSE_BYTES = 256 * 1024;
/** Later than that is the caller's to try again. */
const MAX_WAIT_MS = 10_000;
/** Of a request that met a server in trouble. */
const MAX_RETRIES = 2;
const FIRST_RETRY_DELAY_MS = 500;
/** The server may reject any nonce (RFC 8555 §6.5). */
const MAX_NONCES_TRIED = 20;
const MAX_NONCES_KEPT = 8;

const HEADERS = { "user-agent": "isola", "accept-language": "en" };

/** Requests to one ACME server (RFC 8555 §6): signed, with fresh nonces, each bounded in time and size. */
export class AcmeTransport implements Disposable {
  readonly #client: Deno.HttpClient;
  readonly #nonces: string[] = [];

  /** @param caCerts PEM of those that the server is trusted by, beside the system's. */
  constructor(caCerts: string[]) {
    this.#client = Deno.createHttpClient({ caCerts });
  }

  /**
   * @throws {AcmeError}
   * @throws the signal's reason
   */
  async get(url: string, signal: AbortSignal): Promise<AcmeResponse> {
    return await patiently(() => this.#send(url, { method: "GET" }, signal), signal);
  }

  /**
   * @param payload `undefined` = POST-as-GET.
   * @throws {AcmeError}
   * @throws the signal's reason
   */
  async post(
    url: string,
    payload: unknown,
    { signer: { key, accountUrl }, newNonceUrl, signal }: {
      signer: Signer;
      newNonceUrl: string;
      signal: AbortSignal;
    },
  ): Promise<AcmeResponse> {
    return await patiently(async () => {
      for (let tried = 1;; tried++) {
        const nonce = this.#nonces.pop() ?? await this.#newNonce(newNonceUrl, signal);
        const body = await key.sign({ url, nonce }, accountUrl, payload);
        const headers = { "content-type": "application/jose+json" };
        try {
          return await this.#send(url, { method: "POST", headers, body }, signal);
        } catch (error) {
          const badNonce = error instanceof AcmeError && error.type === "badNonce";
          if (!badNonce || tried === MAX_NONCES_TRIED) throw error;
          // The others are as old; the one that came with the rejection is good.
          this.#nonces.splice(0, this.#nonces.length - 1);
        }
      }
    }, signal);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  async #newNonce(url: string, signal: AbortSignal): Promise<string> {
    await this.#send(url, { method: "HEAD" }, signal);
    const nonce = this.#nonces.pop();
    if (nonce === undefined) throw badAnswer(`"${url}" gave no nonce`);
    return nonce;
  }

  async #send(url: string, init: RequestInit, signal: AbortSignal): Promise<AcmeResponse> {
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    try {
      const response = await fetch(url, {
        ...init,
        headers: { ...HEADERS, ...init.headers as Record<string, string> },
        redirect: "manual",
        client: this.#client,
        signal: AbortSignal.any([signal, timeout]),
      });
      this.#keepNonce(response.headers.get("replay-nonce"));
      const text = await readText(response);
      const retryAfterMs = readRetryAfter(response.headers.get("retry-after"), Date.now());
      if (!response.ok) throw refused(response.status, text, retryAfterMs);
      return { headers: response.headers, text, retryAfterMs };
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      if (cause instanceof AcmeError) throw cause;
      throw notReached(url, timeout.aborted ? "timedOut" : "unreachable", cause);
    }
  }

  #keepNonce(nonce: string | null): void {
    if (nonce === null || !/^[\w-]+$/.test(nonce)) return;
    this.#nonces.push(nonce);
    if (this.#nonces.length > MAX_NONCES_KEPT) this.#nonces.shift();
  }
}

/** Again, a little later, if the server is in trouble. */
async function patiently<T>(send: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 0;; tries++) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof AcmeError) || !isPassing(error) || tries === MAX_RETRIES) throw error;
      const waitMs = error.retryAfterMs ?? FIRST_RETRY_DELAY_MS * 2 ** tries;
      if (waitMs > MAX_WAIT_MS) throw error;
      await delay(waitMs, undefined, { signal });
    }
  }
}

function isPassing({ type, status }: AcmeError): boolean {
  return type === "unreachable" || (status ?? 0) >= 500;
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_RESPONSE_BYTES) throw badAnswer(`it is longer than ${MAX_RESPONSE_BYTES} bytes`);
    chunks.push(chunk);
  }
  return await new Blob(chunks).text();
}

function refused(status: number, text: string, retryAfterMs: number | null): AcmeError {
  try {
    const problem = readProblem(Answer.parse(text));
    return new AcmeError(explainProblem(problem), { ...problem, status, retryAfterMs });
  } catch {
    const detail = `it answered ${status} without saying why`;
    return new AcmeError(`The ACME server refused: ${detail}`, {
      type: "badAnswer",
      detail,
      status,
      retryAfterMs,
    });
  }
}

function badAnswer(detail: string): AcmeError {
  return new AcmeError(`Cannot understand the answer of the ACME server: ${detail}`, {
    type: "badAnswer",
    detail,
  });
}

function notReached(url: string, type: "timedOut" | "unreachable", cause: unknown): AcmeError {
  const detail = type === "timedOut" ? `no answer within ${REQUEST_TIMEOUT_MS}ms` : networkFailure(cause);
  const hint = detail.includes("UnknownIssuer")
    ? ". Is tls.acme.caFile the authority that it is trusted by?"
    : "";
  return new AcmeError(`Cannot reach the ACME server at "${url}": ${detail}${hint}`, { type, detail }, {
    cause,
  });
}
