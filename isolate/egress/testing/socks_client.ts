import { isIP } from "node:net";
import { encodeReply } from "../socks5.ts";

const encoder = new TextEncoder();

/** The bytes of a CONNECT: a literal address goes in binary, unless `asName`. */
export function connectRequest(host: string, port: number, asName = false): Uint8Array<ArrayBuffer> {
  if (asName || isIP(host) === 0) {
    const name = encoder.encode(host);
    return Uint8Array.of(5, 1, 0, 3, name.length, ...name, port >> 8, port & 0xff);
  }
  // Requests and replies have one form; the code of success + 1 is the command CONNECT.
  return encodeReply(1, { transport: "tcp", hostname: host, port });
}

/** What a sandbox does at its way out, byte by byte. */
export class SocksClient implements Disposable {
  readonly conn: Deno.UnixConn;
  #buffer: number[] = [];

  private constructor(conn: Deno.UnixConn) {
    this.conn = conn;
  }

  static async open(socketPath: string): Promise<SocksClient> {
    return new SocksClient(await Deno.connect({ transport: "unix", path: socketPath }));
  }

  /** Asks for a target and answers the reply's code; the connection is a tunnel if that is 0. */
  async connect(host: string, port: number, asName = false): Promise<number> {
    await this.write(Uint8Array.of(5, 1, 0));
    await this.read(2);
    await this.write(connectRequest(host, port, asName));
    const reply = await this.read(5);
    await this.read(reply[3] === 1 ? 5 : 17);
    return reply[1]!;
  }

  async write(data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
  }

  /** Exactly so many bytes; fewer only if the connection ended. */
  async read(bytes: number): Promise<number[]> {
    const chunk = new Uint8Array(65_536);
    while (this.#buffer.length < bytes) {
      // A connection that was closed with bytes unread is reset.
      const length = await this.conn.read(chunk).catch(() => null);
      if (length === null) break;
      this.#buffer.push(...chunk.subarray(0, length));
    }
    return this.#buffer.splice(0, bytes);
  }

  /** All until the end. */
  async readText(): Promise<string> {
    return new TextDecoder().decode(Uint8Array.from(await this.read(Infinity)));
  }

  [Symbol.dispose](): void {
    this.conn[Symbol.dispose]();
  }
}
