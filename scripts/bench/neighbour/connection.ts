const HEAD_END = new TextEncoder().encode("\r\n\r\n");
const BUFFER_BYTES = 64 * 1024;

/** One HTTP/1.1 connection of a visitor, kept alive, for one request after the other. */
export class VisitorConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #request: Uint8Array;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);

  private constructor(connection: Deno.TcpConn, host: string) {
    this.#connection = connection;
    this.#request = new TextEncoder().encode(`GET / HTTP/1.1\r\nhost: ${host}\r\naccept: */*\r\n\r\n`);
  }

  /** Dials the port of 127.0.0.1; every request asks for `host`. */
  static async open(port: number, host: string): Promise<VisitorConnection> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay();
    return new VisitorConnection(connection, host);
  }

  /**
   * Asks for `/` and reads the whole answer.
   *
   * @returns its status, or the code of the data plane that it carries
   * @throws {Error} when the connection ends first, or the answer has no Content-Length
   */
  async get(): Promise<string> {
    await this.#connection.write(this.#request);
    let length = 0;
    let headBytes = -1;
    while (headBytes < 0) {
      length += await this.#read(this.#buffer.subarray(length));
      headBytes = endOfHead(this.#buffer.subarray(0, length));
    }
    const { outcome, bodyBytes } = parseHead(this.#buffer.subarray(0, headBytes));
    for (let left = bodyBytes - (length - headBytes); left > 0;) left -= await this.#read(this.#buffer);
    return outcome;
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  async #read(into: Uint8Array): Promise<number> {
    const length = into.length === 0 ? null : await this.#connection.read(into);
    if (length === null) throw new Error("Cannot read an answer: the connection ended");
    return length;
  }
}

/** How long the head of an answer is, its empty line included; -1 when that has not come yet. */
function endOfHead(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(13); at !== -1; at = bytes.indexOf(13, at + 1)) {
    if (HEAD_END.every((byte, i) => bytes[at + i] === byte)) return at + HEAD_END.length;
  }
  return -1;
}

/** What the head of an answer says: how it went, and how much follows. */
function parseHead(head: Uint8Array): { outcome: string; bodyBytes: number } {
  const text = new TextDecoder().decode(head);
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
  const bodyBytes = /^content-length: (\d+)\r$/im.exec(text)?.[1];
  if (status === undefined || bodyBytes === undefined) {
    throw new Error(`Cannot read an answer: its head is ${JSON.stringify(text)}`);
  }
  return { outcome: /^x-isola-error: (\w+)\r$/im.exec(text)?.[1] ?? status, bodyBytes: Number(bodyBytes) };
}
