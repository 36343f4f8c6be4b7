import type { Connection } from "./connection.ts";
import { GatewayError } from "./errors.ts";
import { isConnectionOption, namedByConnection } from "./hop_by_hop.ts";
import type { RequestBody } from "./request_body.ts";
import { ResponseBody } from "./response_body.ts";
import { ProtocolError, type ResponseHead } from "./response_head.ts";
import type { Upstream } from "./upstream.ts";

/** With which a `Response` takes no body, not even an empty one (Fetch §2.2.3). */
const NULL_BODY_STATUSES: ReadonlySet<number> = new Set([204, 205, 304]);

/** What an exchange runs on. */
export interface ExchangeOptions {
  /** Entered; the exchange leaves it. */
  upstream: Upstream;
  /** The request's head was sent on it. */
  connection: Connection;
  method: string;
  body: RequestBody | null;
  /** A 101 was asked for. */
  upgrade: boolean;
  /** To the response's head; 0 = none. */
  timeoutMs: number;
  /** Aborts when the visitor is gone. */
  signal: AbortSignal;
}

/**
 * One request in one isolate, from the head that was sent to the last byte of the response. The visitor's end closes the
 * connection at once, which aborts `request.signal` in the app.
 */
export class Exchange implements EventListenerObject, UnderlyingDefaultSource<Uint8Array> {
  /** After a 101 it is the caller's, who ends the exchange with `close`. */
  readonly connection: Connection;
  readonly upstream: Upstream;
  readonly #options: ExchangeOptions;
  #keepAlive = false;
  #upgraded = false;
  #body: ResponseBody | null = null;
  /** Arrived with the head. */
  #first: Uint8Array<ArrayBuffer> | null = null;
  #timedOut = false;
  #over = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.connection = options.connection;
    this.upstream = options.upstream;
    options.signal.addEventListener("abort", this);
    if (options.signal.aborted) this.close();
    // Not awaited, since the response may begin before the upload ends. It never rejects.
    options.body?.pump(options.connection);
  }

  /**
   * Waits for the response's head.
   *
   * @throws {GatewayError} What the visitor gets instead; the exchange is over then.
   */
  async head(): Promise<ResponseHead> {
    const { method, signal, timeoutMs, upgrade } = this.#options;
    const timer = timeoutMs === 0 ? undefined : setTimeout(() => this.#timeOut(), timeoutMs);
    try {
      const head = await this.connection.readHead(method);
      if (head === null) throw await this.#endedTooEarly();
      if (head.status === 101) {
        if (!upgrade) throw new ProtocolError("status 101 that nobody asked for");
        signal.removeEventListener("abort", this);
        this.#upgraded = true;
        this.upstream.upgrade();
      }
      this.#keepAlive = head.keepAlive;
      return head;
    } catch (error) {
      this.fail(error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * The visitor's response. A body that has arrived whole is passed in one piece, any other as a stream.
   *
   * @throws {ProtocolError} The exchange is over then.
   */
  response(head: ResponseHead): Response {
    try {
      const body = new ResponseBody(this.connection, head);
      const first = body.take();
      if (!body.complete) {
        this.#body = body;
        this.#first = first;
        this.#options.body?.hurry();
        return visitorResponse(head, new ReadableStream(this, { highWaterMark: 0 }));
      }
      // A null body would make the answer to HEAD claim a length of 0, apart from statuses that allow no other.
      const silent = this.#options.method === "HEAD" && !NULL_BODY_STATUSES.has(head.status) &&
        !head.fields.some(([name]) => name === "content-length");
      const nothing = silent ? new ReadableStream({ start: (controller) => controller.close() }) : null;
      const response = visitorResponse(head, first.length > 0 ? first : nothing);
      this.#end();
      return response;
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** The stream wants more: only then the isolate is read. */
  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const body = this.#body!;
    try {
      const data = this.#first !== null && this.#first.length > 0 ? this.#first : await body.next();
      this.#first = null;
      if (data.length > 0) controller.enqueue(data);
      if (!body.complete) return;
      controller.close();
      this.#end();
    } catch (error) {
      this.fail(error);
      // `Deno.serve` prints what a stream fails with: a line, not a stack.
      controller.error(error instanceof Error ? error.message : error);
    }
  }

  /** The stream's reader is gone. */
  cancel(): void {
    this.close();
  }

  /** The visitor's connection is gone. */
  handleEvent(): void {
    this.close();
  }

  /** Cuts what is still under way. Idempotent. */
  close(): void {
    this.#keepAlive = false;
    this.connection.close();
    this.#end();
  }

  /** Ends the exchange, and the isolate too if it broke the protocol. */
  fail(error: unknown): void {
    if (error instanceof ProtocolError) this.upstream.breakOff(error.code);
    this.close();
  }

  #timeOut(): void {
    this.#timedOut = true;
    this.connection.close();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    const { connection, upstream } = this;
    const { body, signal } = this.#options;
    signal.removeEventListener("abort", this);
    const uploaded = body === null || body.complete;
    if (!uploaded) body.cancel();
    upstream.give(connection, this.#keepAlive && uploaded && connection.unread.length === 0);
    upstream.leave(this.#upgraded);
  }

  /** Why there will be no head. */
  async #endedTooEarly(): Promise<GatewayError> {
    const { body, signal, timeoutMs } = this.#options;
    const isolate = `isolate "${this.upstream.usage.isolateId}"`;
    if (this.#timedOut) {
      return new GatewayError("REQUEST_TIMEOUT", `Cannot get a response of ${isolate} within ${timeoutMs}ms`);
    }
    if (signal.aborted || body?.failed) {
      return new GatewayError("BAD_REQUEST", `Cannot forward a request to ${isolate}: the visitor ended it`);
    }
    const code = await this.upstream.endedSoon() ?? "BAD_RESPONSE";
    return new GatewayError(code, `Cannot get a response of ${isolate}: it closed the connection`);
  }
}

function visitorResponse({ status, fields, connection }: ResponseHead, body: BodyInit | null): Response {
  const response = new Response(body, { status });
  const headers = response.headers;
  const named = namedByConnection(connection);
  for (const [name, value] of fields) {
    if (!isConnectionOption(name) && !named?.has(name)) headers.append(name, value);
  }
  return response;
}
