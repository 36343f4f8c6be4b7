import { HpackDecoder } from "../hpack_decoder.ts";
import { OctetWriter } from "../octet_writer.ts";
import { ERROR, FLAG, FRAME, PREFACE } from "../protocol.ts";

/** A frame that the server sent. */
export interface ReceivedFrame {
  type: number;
  flags: number;
  streamId: number;
  payload: Uint8Array;
}

/** What the server said of a stream, or of the connection: `reset 1 protocol`, `goaway none`, `200 1`, `end 1`, `closed`. */
type Said = string;

const ERROR_NAMES = Object.fromEntries(Object.entries(ERROR).map(([name, code]) => [code, name]));

/** A client that sends frames as a test wants them, right or wrong. */
export class FrameClient implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #decoder = new HpackDecoder();
  #unread = new Uint8Array(0);
  /** All so far. */
  readonly frames: ReceivedFrame[] = [];
  readonly said: Said[] = [];

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** Connects and sends the preface and the settings, unless `bare`. */
  static async connect(port: number, { bare = false, settings = "" } = {}): Promise<FrameClient> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay();
    const client = new FrameClient(conn);
    if (!bare) await client.send(PREFACE, frame(FRAME.settings, 0, 0, settings));
    return client;
  }

  /** Sends bytes as they are; false = the server is gone already, but what it has said before is there to be read. */
  async send(...parts: Readonly<Uint8Array>[]): Promise<boolean> {
    const bytes = await new Blob(parts as Uint8Array<ArrayBuffer>[]).bytes();
    try {
      for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
      return true;
    } catch {
      return false;
    }
  }

  /** Sends nothing more. */
  async finish(): Promise<void> {
    await this.#conn.closeWrite().catch(() => {});
  }

  /** Reads until the server has said one of these. @throws It has closed the connection before. */
  async until(...wanted: Said[]): Promise<Said> {
    for (;;) {
      const found = this.said.find((said) => wanted.includes(said));
      if (found !== undefined) return found;
      if (this.said.includes("closed")) {
        throw new Error(`Waited for ${wanted}, but got ${this.said.join(", ")}`);
      }
      await this.next();
    }
  }

  /** Reads the next frame; `null` = the connection has ended. */
  async next(): Promise<ReceivedFrame | null> {
    let whole;
    while ((whole = this.#parse()) === null) {
      const buffer = new Uint8Array(64 * 1024);
      const bytes = await this.#conn.read(buffer).catch(() => null);
      if (bytes === null) {
        this.said.push("closed");
        return null;
      }
      this.#unread = await new Blob([this.#unread, buffer.subarray(0, bytes)]).bytes();
    }
    this.frames.push(whole);
    this.#note(whole);
    return whole;
  }

  /** The server takes what has come, and answers nothing wrong: a PING comes back. */
  async ping(): Promise<void> {
    await this.send(frame(FRAME.ping, 0, 0, "6d61726b65640000"));
    for (;;) {
      const received = await this.next();
      if (received === null) throw new Error(`Waited for PING, but got ${this.said.join(", ")}`);
      if (received.type === FRAME.ping && received.payload.toHex() === "6d61726b65640000") return;
    }
  }

  /** The data of a stream so far. */
  dataOf(streamId: number): string {
    const data = this.frames.filter((frame) => frame.type === FRAME.data && frame.streamId === streamId);
    return data.map(({ payload }) => String.fromCharCode(...payload)).join("");
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }

  #parse(): ReceivedFrame | null {
    const bytes = this.#unread;
    if (bytes.length < 9) return null;
    const view = new DataView(bytes.buffer);
    const end = 9 + (view.getUint32(0) >>> 8);
    if (bytes.length < end) return null;
    this.#unread = bytes.slice(end);
    return { type: bytes[3]!, flags: bytes[4]!, streamId: view.getUint32(5), payload: bytes.slice(9, end) };
  }

  #note({ type, flags, streamId, payload }: ReceivedFrame): void {
    const code = (at: number) => ERROR_NAMES[new DataView(payload.buffer).getUint32(at)];
    if (type === FRAME.goaway) this.said.push(`goaway ${code(4)}`);
    if (type === FRAME.rstStream) this.said.push(`reset ${streamId} ${code(0)}`);
    if (type === FRAME.headers) {
      this.#decoder.decode(payload, 0, payload.length, ({ line }) => {
        const status = /^:status: (\d+)/.exec(String.fromCharCode(...line))?.[1];
        if (status) this.said.push(`${status} ${streamId}`);
      });
    }
    const ends = (type === FRAME.headers || type === FRAME.data) && flags & FLAG.endStream;
    if (ends) this.said.push(`end ${streamId}`);
  }
}

/** One frame. @param payload Bytes, or hexadecimal digits. */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: string | Uint8Array = "",
): Uint8Array {
  const bytes = typeof payload === "string" ? Uint8Array.fromHex(payload.replaceAll(" ", "")) : payload;
  const out = new OctetWriter();
  out.frame(bytes.length, type, flags, streamId);
  out.copy(bytes);
  return out.view;
}

/** A header block of literal fields (RFC 7541 §6.2.2), so that it leaves no trace in a table. */
export function block(fields: readonly (readonly [name: string, value: string])[]): Uint8Array {
  const out = new OctetWriter();
  const string = (text: string) => {
    out.octet(text.length < 127 ? text.length : 127);
    let rest = text.length - 127;
    if (rest >= 0) {
      for (; rest >= 128; rest >>= 7) out.octet(rest & 127 | 128);
      out.octet(rest);
    }
    out.copy(Uint8Array.from(text, (char) => char.charCodeAt(0)));
  };
  for (const [name, value] of fields) {
    out.octet(0);
    string(name);
    string(value);
  }
  return out.view;
}

/** The fields of an ordinary request. */
export const GET = [[":method", "GET"], [":scheme", "http"], [":path", "/"], [
  ":authority",
  "a.test",
]] as const;
/** The fields of a request with a body. */
export const POST = [[":method", "POST"], GET[1], GET[2], GET[3]] as const;

/** A request in one HEADERS frame; with a body to follow unless `endStream`. */
export function request(
  streamId: number,
  fields: readonly (readonly [name: string, value: string])[] = GET,
  endStream = true,
): Uint8Array {
  return frame(FRAME.headers, FLAG.endHeaders | (endStream ? FLAG.endStream : 0), streamId, block(fields));
}

/** A DATA frame of Latin-1 text. */
export function data(streamId: number, text: string, endStream = false): Uint8Array {
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  return frame(FRAME.data, endStream ? FLAG.endStream : 0, streamId, bytes);
}
