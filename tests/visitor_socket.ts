import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";

/** What a visitor asks for in the opening handshake. */
export interface VisitorSocketOptions {
  protocols?: string[];
  headers?: Record<string, string>;
  origin?: string;
  /** PEM of the only authority that is trusted: the socket is opened over TLS. */
  ca?: string;
}

/** The server answered the opening handshake with something else than 101. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";

  constructor(readonly status: number, readonly headers: Record<string, unknown>, readonly body: string) {
    super(`Cannot open a WebSocket: status ${status}`);
  }
}

/** A visitor's WebSocket whose messages are read one by one. Deno's own client cannot choose its Host. */
export class VisitorSocket implements AsyncDisposable {
  /** Code and reason of the end. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #socket: WebSocket;
  readonly #messages: (string | Uint8Array)[] = [];
  #onMessage: (() => void) | null = null;
  /** Header fields of the 101. */
  headers: Record<string, string | string[] | undefined> = {};

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on("close", (code: number, reason: Uint8Array) => {
        resolve({ code, reason: new TextDecoder().decode(reason) });
        this.#onMessage?.();
      });
    });
    socket.on("message", (data: Uint8Array, isBinary: boolean) => {
      this.#messages.push(isBinary ? new Uint8Array(data) : new TextDecoder().decode(data));
      this.#onMessage?.();
    });
    socket.on("upgrade", ({ headers }: IncomingMessage) => this.headers = headers);
  }

  /**
   * Opens a WebSocket to `host` at `port` of this machine.
   *
   * @throws {RefusedError}
   */
  static async open(
    port: number,
    host: string,
    path: string,
    { protocols = [], headers = {}, origin, ca }: VisitorSocketOptions = {},
  ): Promise<VisitorSocket> {
    const scheme = ca === undefined ? "ws" : "wss";
    const socket = new WebSocket(`${scheme}://127.0.0.1:${port}${path}`, protocols, {
      headers: { ...headers, host },
      origin,
      ca,
      servername: host,
      maxPayload: 256 * 1024 * 1024,
    });
    const visitor = new VisitorSocket(socket);
    await new Promise<void>((resolve, reject) => {
      socket.on("open", resolve);
      socket.on("error", reject);
      socket.on("unexpected-response", (_: unknown, response: IncomingMessage) => {
        let body = "";
        response.on("data", (data: Uint8Array) => body += new TextDecoder().decode(data));
        response.on("end", () => reject(new RefusedError(response.statusCode!, response.headers, body)));
      });
    });
    return visitor;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  send(data: string | Uint8Array): void {
    this.#socket.send(data);
  }

  /** Reads nothing from now on, until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The next message. @throws {Error} The socket is closed. */
  async next(): Promise<string | Uint8Array> {
    while (this.#messages.length === 0) {
      if (this.#socket.readyState === WebSocket.CLOSED) {
        throw new Error("Cannot read: the WebSocket is closed");
      }
      await new Promise<void>((resolve) => this.#onMessage = resolve);
    }
    return this.#messages.shift()!;
  }

  /** Without a code the close frame is empty. */
  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  /** Cuts the connection. */
  terminate(): void {
    this.#socket.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.closed;
  }
}
