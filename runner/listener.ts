import type { Handler } from "./handler.ts";
import { Http2Gateway, speaksHttp2 } from "./http2.ts";
import { VisitorConnection } from "./visitor_connection.ts";

/** When there is no descriptor for another connection. */
const ACCEPT_PAUSE_MS = 50;
const DRAIN_POLL_MS = 20;

/** Where a listener listens. */
export interface ListenerOptions {
  hostname: string;
  port: number;
  /** Several listeners share the port. */
  reusePort: boolean;
}

/** Accepts the connections of visitors on one address, and has each served. */
export class Listener {
  readonly #listener: Deno.TcpListener;
  readonly #handler: Handler;
  readonly #http2: Http2Gateway;
  readonly #connections = new Set<VisitorConnection>();
  #closed = false;

  /** @throws It cannot listen there. */
  constructor(options: ListenerOptions, handler: Handler) {
    this.#listener = Deno.listen(options);
    this.#handler = handler;
    this.#http2 = new Http2Gateway(handler);
    this.#accept();
  }

  /** As bound. */
  get addr(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /** Stops accepting, and waits until the last request is answered; when `signal` aborts, cuts what is left. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    this.#listener.close();
    this.#handler.drain();
    while (this.#connections.size > 0 && !signal.aborted) {
      this.#http2.drain();
      for (const connection of this.#connections) if (connection.idle) connection.close();
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    for (const connection of this.#connections) connection.close();
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        this.#serve(await this.#listener.accept());
      } catch (error) {
        if (this.#closed) return;
        console.error("Cannot accept a connection:", error);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  async #serve(socket: Deno.TcpConn): Promise<void> {
    const connection = new VisitorConnection(socket, socket.remoteAddr);
    this.#connections.add(connection);
    try {
      // A small answer must not wait for the acknowledgement of the one before.
      socket.setNoDelay();
      if (await speaksHttp2(connection)) await this.#http2.splice(connection, socket.remoteAddr);
      else await this.#handler.serve(connection);
    } catch (error) {
      console.error("Cannot go on with a connection:", error);
      connection.close();
    }
    this.#connections.delete(connection);
  }
}
