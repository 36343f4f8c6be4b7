/** One connection of a runner to a {@linkcode RawIsolate}, read and written byte by byte as the test says. */
export class RawConnection {
  readonly #conn: Deno.UnixConn;
  #unread = "";

  constructor(conn: Deno.UnixConn) {
    this.#conn = conn;
  }

  /** Latin-1 text through `end`, which must come; `null` = the runner closed the connection before. */
  async readUntil(end: string): Promise<string | null> {
    while (!this.#unread.includes(end)) if (!await this.#fill()) return null;
    const at = this.#unread.indexOf(end) + end.length;
    const text = this.#unread.slice(0, at);
    this.#unread = this.#unread.slice(at);
    return text;
  }

  /** Latin-1 text to the end of the connection. */
  async readAll(): Promise<string> {
    await this.closed();
    return this.#unread;
  }

  /** Resolves when the runner has closed the connection. */
  async closed(): Promise<void> {
    while (await this.#fill());
  }

  /** Latin-1 text or bytes. Does nothing if the runner has gone. */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? Uint8Array.from(data, (char) => char.charCodeAt(0)) : data;
    try {
      for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
    } catch {
      // The runner hung up, which is what the test is about to see.
    }
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // Closed before.
    }
  }

  async #fill(): Promise<boolean> {
    const buffer = new Uint8Array(65536);
    const bytes = await this.#conn.read(buffer).catch(() => null);
    if (bytes === null) return false;
    this.#unread += String.fromCharCode(...buffer.subarray(0, bytes));
    return true;
  }
}

/** An isolate that says whatever the test wants: a unix socket and a script that each connection runs. */
export class RawIsolate implements AsyncDisposable {
  readonly socketPath: string;
  readonly #directory: string;
  readonly #listener: Deno.UnixListener;
  readonly #connections = new Set<RawConnection>();
  readonly #accepting: Promise<void>;
  readonly #disposed = Promise.withResolvers<void>();
  /** Connections so far. */
  accepted = 0;

  /** @param script What each connection runs; `disposed` resolves when nobody waits for it any more. */
  constructor(script: (connection: RawConnection, disposed: Promise<void>) => Promise<unknown>) {
    this.#directory = Deno.makeTempDirSync({ prefix: "isola-raw-" });
    this.socketPath = `${this.#directory}/http.sock`;
    this.#listener = Deno.listen({ transport: "unix", path: this.socketPath });
    this.#accepting = this.#accept((connection) => script(connection, this.#disposed.promise));
  }

  /** Answers each request with the same bytes, whatever it is. */
  static answering(response: string | Uint8Array): RawIsolate {
    return new RawIsolate(async (connection) => {
      while (await connection.readUntil("\r\n\r\n") !== null) await connection.write(response);
    });
  }

  /** Answers the first request of each connection and closes it. */
  static answeringOnce(response: string | Uint8Array): RawIsolate {
    return new RawIsolate(async (connection) => {
      await connection.readUntil("\r\n\r\n");
      await connection.write(response);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.#disposed.resolve();
    for (const connection of this.#connections) connection.close();
    await this.#accepting;
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #accept(script: (connection: RawConnection) => Promise<unknown>): Promise<void> {
    const scripts: Promise<unknown>[] = [];
    for await (const conn of this.#listener) {
      this.accepted++;
      const connection = new RawConnection(conn);
      this.#connections.add(connection);
      scripts.push(script(connection).finally(() => connection.close()));
    }
    await Promise.all(scripts);
  }
}
