/** A visitor in raw bytes, by TLS or without: any server name at any port, and what no HTTP client would send. */

/** How a connection is secured. */
export interface TlsOptions {
  /** The name that is asked for, and that the certificate must be for. */
  serverName: string;
  /** PEM of the only authority that is trusted. */
  ca: string;
  /** Offered by ALPN, best first. @default {[]} */
  protocols?: string[];
}

/** One connection to 127.0.0.1. Everything received is kept, as Latin-1 characters. */
export class TlsClient implements Disposable {
  readonly #conn: Deno.Conn;
  readonly #buffer = new Uint8Array(65536);
  /** As agreed by ALPN; `null` = none. */
  readonly protocol: string | null;
  received = "";

  private constructor(conn: Deno.Conn, protocol: string | null) {
    this.#conn = conn;
    this.protocol = protocol;
  }

  /**
   * Connects; with `tls`, resolves after the handshake.
   *
   * @throws {Error} The handshake failed: the message names the alert.
   */
  static async open(port: number, tls: TlsOptions | null): Promise<TlsClient> {
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
    // What follows the handshake would wait for its acknowledgement.
    tcp.setNoDelay();
    if (tls === null) return new TlsClient(tcp, null);
    const { serverName, ca, protocols = [] } = tls;
    const conn = await Deno.startTls(tcp, { hostname: serverName, caCerts: [ca], alpnProtocols: protocols });
    try {
      const { alpnProtocol } = await conn.handshake();
      return new TlsClient(conn, alpnProtocol);
    } catch (error) {
      conn.close();
      throw error;
    }
  }

  /** Sends bytes, or Latin-1 text exactly as it is. Rejects when the connection has ended. */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? Uint8Array.from(data, (char) => char.charCodeAt(0)) : data;
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** What comes next, good until the next call; `null` = the connection has ended, in whatever way. */
  async read(): Promise<Uint8Array | null> {
    const bytes = await this.#conn.read(this.#buffer).catch(() => null);
    return bytes === null ? null : this.#buffer.subarray(0, bytes);
  }

  /** Reads until `pattern` matches all that was received; `null` = the connection ended before. */
  async receive(pattern: RegExp): Promise<RegExpExecArray | null> {
    for (;;) {
      const match = pattern.exec(this.received);
      if (match !== null) return match;
      const bytes = await this.read();
      if (bytes === null) return null;
      for (let at = 0; at < bytes.length; at += 4096) {
        this.received += String.fromCharCode(...bytes.subarray(at, at + 4096));
      }
    }
  }

  /** Reads to the end of the connection. */
  async receiveAll(): Promise<string> {
    await this.receive(/(?!)/);
    return this.received;
  }

  /** Reads and forgets until the connection ends; how long that took in ms, or `Infinity` = longer than `timeoutMs`. */
  async endedAfter(timeoutMs: number): Promise<number> {
    const startedAt = performance.now();
    let timer;
    const late = new Promise<number>((resolve) => timer = setTimeout(() => resolve(Infinity), timeoutMs));
    const ended = (async () => {
      while (await this.read() !== null);
      return performance.now() - startedAt;
    })();
    const tookMs = await Promise.race([ended, late]);
    clearTimeout(timer);
    if (tookMs === Infinity) {
      this[Symbol.dispose]();
      await ended;
    }
    return tookMs;
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // Closed before, by the test.
    }
  }
}
