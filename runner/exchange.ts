import { ByteBuffer } from "./http1/byte_buffer.ts";
import type { Connection } from "./isolates/connection.ts";
import { GatewayError } from "./errors.ts";
import type { RequestBody } from "./http1/request_body.ts";
import { ResponseBody } from "./http1/response_body.ts";
import { ProtocolError, type ResponseHead } from "./http1/response_head.ts";
import { Turn } from "./turn.ts";
import type { Upstream } from "./isolates/upstream.ts";
import type { VisitorConnection } from "./http1/visitor_connection.ts";
import { type VisitorResponseOptions, writeResponseHead } from "./http1/visitor_response.ts";

/** What an exchange runs on. */
export interface ExchangeOptions {
  /** Entered; the exchange leaves it. */
  upstream: Upstream;
  /** The request's head was sent on it. */
  connection: Connection;
  visitor: VisitorConnection;
  method: string;
  body: RequestBody | null;
  /** A 101 was asked for. */
  upgrade: boolean;
  /** To the response's head; 0 = none. */
  timeoutMs: number;
}

/**
 * One request in one isolate, from the head that was sent to the last byte of the response. The visitor's end closes the
 * connection at once, which aborts `request.signal` in the app.
 */
export class Exchange {
  /** After a 101 it is the caller's, who ends the exchange with `close`. */
  readonly connection: Connection;
  readonly upstream: Upstream;
  readonly #options: ExchangeOptions;
  #keepAlive = false;
  #upgraded = false;
  #timedOut = false;
  #gone = false;
  #over = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.connection = options.connection;
    this.upstream = options.upstream;
    const { body, connection } = options;
    const isUploading = body !== null && !body.complete;
    this.#watch(!isUploading);
    // Not awaited, since the response may begin before the upload ends. It never rejects.
    if (isUploading) body.pump(connection).then(() => this.#uploaded());
  }

  /**
   * Waits for the response's head.
   *
   * @throws {GatewayError} What the visitor gets instead; the exchange is over then.
   */
  async head(): Promise<ResponseHead> {
    const { method, timeoutMs, upgrade, visitor } = this.#options;
    const timer = timeoutMs === 0 ? undefined : setTimeout(() => this.#timeOut(), timeoutMs);
    try {
      const head = await this.connection.readHead(method);
      if (head === null) throw await this.#endedTooEarly();
      if (head.status === 101) {
        if (!upgrade) throw new ProtocolError("status 101 that nobody asked for");
        visitor.upgrade();
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
   * Sends the response to the visitor. A body that has arrived whole goes with its head in one piece; of any other the
   * isolate is read only as fast as the visitor reads.
   *
   * @throws The exchange is over then, and the visitor's connection can carry nothing more.
   */
  async relay(head: ResponseHead, options: VisitorResponseOptions): Promise<void> {
    const { connection } = this;
    const { visitor } = this.#options;
    const out = ByteBuffer.take();
    try {
      const framing = writeResponseHead(head, connection.input, options, out);
      const body = new ResponseBody(connection, head, framing);
      body.take(out);
      if (body.complete) {
        this.#end();
        return await visitor.write(out.view);
      }
      const turn = new Turn();
      turn.start();
      for (;;) {
        const startedAt = performance.now();
        if (out.length > 0) await visitor.write(out.view);
        if (body.complete) break;
        await body.more();
        out.clear();
        body.take(out);
        await turn.pass(startedAt);
      }
      this.#end();
    } catch (error) {
      this.fail(error);
      throw error;
    } finally {
      out.release();
    }
  }

  /** Cuts what is still under way: an exchange that is over may have left its connection to another. Idempotent. */
  close(): void {
    if (this.#over) return;
    this.#keepAlive = false;
    this.connection.close();
    this.#end();
  }

  /** Ends the exchange, and the isolate too if it broke the protocol. */
  fail(error: unknown): void {
    if (error instanceof ProtocolError) this.upstream.breakOff(error.code);
    this.close();
  }

  #watch(readsOn: boolean): void {
    this.#options.visitor.watch(() => {
      this.#gone = true;
      this.close();
    }, readsOn);
  }

  #uploaded(): void {
    if (!this.#over && this.#options.body!.complete) this.#watch(true);
  }

  #timeOut(): void {
    this.#timedOut = true;
    this.connection.close();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    const { connection, upstream } = this;
    const { body, visitor } = this.#options;
    visitor.unwatch();
    const uploaded = body === null || body.complete;
    if (!uploaded) body.cancel();
    upstream.give(connection, this.#keepAlive && uploaded && connection.unread.length === 0);
    upstream.leave(this.#upgraded);
  }

  /** Why there will be no head. */
  async #endedTooEarly(): Promise<GatewayError> {
    const { body, timeoutMs } = this.#options;
    const isolate = `isolate "${this.upstream.usage.isolateId}"`;
    if (this.#timedOut) {
      return new GatewayError("REQUEST_TIMEOUT", `Cannot get a response of ${isolate} within ${timeoutMs}ms`);
    }
    if (body?.failure) return body.failure;
    if (this.#gone) {
      return new GatewayError("BAD_REQUEST", `Cannot forward a request to ${isolate}: the visitor ended it`);
    }
    const code = await this.upstream.endedSoon() ?? "BAD_RESPONSE";
    return new GatewayError(code, `Cannot get a response of ${isolate}: it closed the connection`);
  }
}
