/** What a visitor read of a connection until it ended, or until enough was there. */
export class RawVisitor implements Disposable {
  readonly #conn: Deno.TcpConn;
  /** Everything received so far, as Latin-1 characters. */
  received = "";

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** Connects and sends Latin-1 text exactly as it is. */
  static async send(port: number, request: string): Promise<RawVisitor> {
    const visitor = new RawVisitor(await Deno.connect({ hostname: "127.0.0.1", port }));
    await visitor.write(request);
    return visitor;
  }

  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? Uint8Array.from(data, (char) => char.charCodeAt(0)) : data;
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** Reads until `pattern` matches what was received; `null` = the connection ended before. */
  async receive(pattern: RegExp): Promise<RegExpExecArray | null> {
    for (;;) {
      const match = pattern.exec(this.received);
      if (match !== null) return match;
      if (!await this.receiveMore()) return null;
    }
  }

  /** Reads what is there, or comes next; false = the connection ended. */
  async receiveMore(): Promise<boolean> {
    const buffer = new Uint8Array(65536);
    const bytes = await this.#conn.read(buffer).catch(() => null);
    if (bytes === null) return false;
    this.received += String.fromCharCode(...buffer.subarray(0, bytes));
    return true;
  }

  /** Reads and forgets `bytes`; false = the connection ended before. */
  async skip(bytes: number): Promise<boolean> {
    const buffer = new Uint8Array(65536);
    for (let left = bytes; left > 0;) {
      const read = await this.#conn.read(left < buffer.length ? buffer.subarray(0, left) : buffer);
      if (read === null) return false;
      left -= read;
    }
    return true;
  }

  /** Reads to the end of the connection. */
  async receiveAll(): Promise<string> {
    await this.receive(/(?!)/);
    return this.received;
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // Closed before, by the test.
    }
  }
}
