import { Connection } from "./connection.ts";
import type { IsolateUsage } from "../contract.ts";
import { type ErrorCode, GatewayError } from "../errors.ts";
import type { VisitorConnection } from "../http1/visitor_connection.ts";

/** Kept alive to one isolate, which has 100 places by default; more are closed after their exchange. */
const MAX_IDLE_CONNECTIONS = 128;
/** Below the 5 s after which `node:http` closes an idle connection by itself, perhaps just as a request is on its way. */
const MAX_IDLE_MS = 4000;
const CONNECT_RETRY_AFTER_S = 1;
/** After the end of an isolate its last bytes may still be on their way through the socket. */
const ENDED_GRACE_MS = 250;
/** How far the reason of an isolate's end may lag behind the end of its connections. */
const ENDED_NOTICE_MS = 500;

/** Who hears of an isolate's places. */
export interface UpstreamOptions {
  isolateId: string;
  socketPath: string;
  /** A place became free. */
  onLeave(): void;
  /** Nobody listens, or the protocol was broken. */
  onBroken(upstream: Upstream, code: ErrorCode): void;
}

/** Open ones in one isolate; further requests wait. */
const MAX_WEBSOCKETS = 10_000;

/** One live isolate: its connections, who is in it, and what passed through. Whoever enters leaves. */
export class Upstream {
  readonly usage: IsolateUsage;
  readonly leasedAt = Date.now();
  readonly #options: UpstreamOptions;
  readonly #idle: Connection[] = [];
  readonly #open = new Set<Connection>();
  readonly #onEnded = new Set<(code: ErrorCode) => void>();
  #upgraded = 0;
  #endedCode: ErrorCode | null = null;
  #graceTimer: ReturnType<typeof setTimeout> | undefined;
  #retired = false;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.usage = {
      isolateId: options.isolateId,
      requests: 0,
      inFlight: 0,
      lastActiveAt: 0,
      ingressBytes: 0,
      egressBytes: 0,
    };
  }

  /** Whether a request has to wait: an open WebSocket takes no place, but there is a bound for these too. */
  isFull(maxConcurrency: number): boolean {
    return this.usage.inFlight - this.#upgraded >= maxConcurrency || this.#upgraded >= MAX_WEBSOCKETS;
  }

  /** Takes a place. */
  enter(): void {
    this.usage.inFlight++;
    this.usage.requests++;
  }

  /** The request became a WebSocket: it stays, and its place is free. */
  upgrade(): void {
    this.#upgraded++;
    this.#options.onLeave();
  }

  /** Gives the place back, or ends the WebSocket. */
  leave(wasUpgraded: boolean): void {
    this.usage.inFlight--;
    if (wasUpgraded) this.#upgraded--;
    this.usage.lastActiveAt = Date.now();
    this.#options.onLeave();
  }

  /**
   * Sends a request on a kept or new connection, and breaks it off if the visitor leaves before the isolate has taken it.
   *
   * @returns The connection, whatever became of the bytes; `null` = none of them reached the isolate.
   * @throws {GatewayError} `OVERLOADED`: no descriptor here, or no room in the backlog there. `BAD_REQUEST`: the visitor left.
   */
  async send(
    bytes: Uint8Array,
    visitor: Pick<VisitorConnection, "watch" | "unwatch" | "gone">,
  ): Promise<Connection | null> {
    const connection = this.#idle.pop() ?? await this.#connect();
    if (connection === null) return null;
    try {
      const sent = connection.send(bytes);
      visitor.watch(() => connection.close());
      await sent;
    } catch {
      if (visitor.gone) {
        this.#discard(connection);
        throw new GatewayError("BAD_REQUEST", `${this.#cannotSend}: the visitor ended it`);
      }
      if (connection.sentBytes === 0) {
        // The isolate hung up on this connection, so probably on the others too.
        this.#discard(connection);
        this.#closeIdle();
        return null;
      }
    } finally {
      visitor.unwatch();
    }
    return connection;
  }

  /** Says that the isolate cannot be used. */
  breakOff(code: ErrorCode): void {
    this.#options.onBroken(this, code);
  }

  /** Ends an exchange: the connection is kept if it can carry another. */
  give(connection: Connection, reusable: boolean): void {
    if (!reusable || this.#retired || connection.closed || this.#idle.length >= MAX_IDLE_CONNECTIONS) {
      return this.#discard(connection);
    }
    this.#idle.push(connection);
    connection.rest(() => this.#lost(connection));
  }

  /** Closes kept connections that nobody used for a while. */
  sweep(now: number): void {
    // The longest idle are at the front, since the last one given is the first one used.
    while (this.#idle.length > 0 && now - this.#idle[0]!.idleSince >= MAX_IDLE_MS) {
      this.#discard(this.#idle.shift()!);
    }
  }

  /** The isolate is gone: what still reads from it ends within 250 ms. */
  end(code: ErrorCode): void {
    if (this.#endedCode !== null) return;
    this.#endedCode = code;
    for (const notify of this.#onEnded) notify(code);
    this.retire();
    if (this.#open.size > 0) this.#graceTimer = setTimeout(() => this.close(), ENDED_GRACE_MS);
  }

  /** Why the isolate is gone, if that is known within 500 ms; `null` = it lives as far as anybody knows. */
  endedSoon(): Promise<ErrorCode | null> {
    if (this.#endedCode !== null) return Promise.resolve(this.#endedCode);
    const { promise, resolve } = Promise.withResolvers<ErrorCode | null>();
    const timer = setTimeout(resolve, ENDED_NOTICE_MS, null);
    this.#onEnded.add(resolve);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#onEnded.delete(resolve);
    });
  }

  /** Keeps no connection from now on. */
  retire(): void {
    this.#retired = true;
    this.#closeIdle();
  }

  /** Cuts whatever is in flight. */
  close(): void {
    this.retire();
    clearTimeout(this.#graceTimer);
    for (const connection of this.#open) connection.close();
    this.#open.clear();
  }

  async #connect(): Promise<Connection | null> {
    try {
      const connection = await Connection.open(this.#options.socketPath, this.usage);
      this.#open.add(connection);
      return connection;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) {
        this.breakOff("ISOLATE_CRASHED");
        return null;
      }
      const message = `${this.#cannotSend}: cannot connect: ${error}`;
      throw new GatewayError("OVERLOADED", message, { retryAfterS: CONNECT_RETRY_AFTER_S });
    }
  }

  get #cannotSend(): string {
    return `Cannot send a request to isolate "${this.#options.isolateId}"`;
  }

  #lost(connection: Connection): void {
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
    this.#discard(connection);
  }

  #closeIdle(): void {
    for (const connection of this.#idle.splice(0)) this.#discard(connection);
  }

  #discard(connection: Connection): void {
    connection.close();
    this.#open.delete(connection);
    if (this.#open.size === 0) clearTimeout(this.#graceTimer);
  }
}
