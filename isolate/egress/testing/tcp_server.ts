/** A server in the world, which a script talks to. */
export class TcpServer implements AsyncDisposable {
  readonly port: number;
  /** So far. */
  accepted = 0;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #accepting: Promise<void>;

  /** @param script What each connection runs, until it is closed. */
  constructor(script: (connection: Deno.TcpConn) => Promise<unknown>, hostname = "127.0.0.1") {
    this.#listener = Deno.listen({ hostname, port: 0 });
    this.port = this.#listener.addr.port;
    this.#accepting = this.#accept(script);
  }

  /** Sends back what it gets. */
  static echo(hostname?: string): TcpServer {
    return new TcpServer((connection) => connection.readable.pipeTo(connection.writable), hostname);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) connection[Symbol.dispose]();
    await this.#accepting;
  }

  async #accept(script: (connection: Deno.TcpConn) => Promise<unknown>): Promise<void> {
    const scripts: Promise<unknown>[] = [];
    for await (const connection of this.#listener) {
      this.accepted++;
      this.#connections.add(connection);
      // Tests end connections at any point.
      scripts.push(script(connection).catch(() => {}).finally(() => connection[Symbol.dispose]()));
    }
    await Promise.all(scripts);
  }
}
