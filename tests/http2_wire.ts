/** HTTP/2 in raw frames: what no client would send. */
import { HpackDecoder } from "../runner/http2/hpack_decoder.ts";
import type { TlsClient } from "./tls_client.ts";

const NOTHING: Uint8Array = new Uint8Array(0);

/** Frame types (RFC 9113 §6). */
export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
/** Flags of frames (RFC 9113 §6). */
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4 } as const;
/** Error codes (RFC 9113 §7). */
export const CODE = { protocolError: 1, refusedStream: 7, cancel: 8, enhanceYourCalm: 11 } as const;

/** What a client sends first: the preface, and settings. */
export const OPENING: Uint8Array = joined([
  new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(TYPE.settings, 0, 0),
]);

/** In order; a name may come more than once. */
export type Fields = readonly (readonly [name: string, value: string])[];

/** How a request ended. */
export type Ending =
  | { status: number; fields: [name: string, value: string][]; body: string }
  | { resetWith: number }
  | { goneWith: number }
  | "closed";

/** One frame, of whatever type, flags and content. */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = NOTHING,
): Uint8Array {
  const bytes = new Uint8Array(9 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length << 8 | type);
  bytes[4] = flags;
  view.setUint32(5, streamId);
  bytes.set(payload, 9);
  return bytes;
}

/** A header block of literals that are neither indexed nor compressed (RFC 7541 §6.2.2). Latin-1, as it is. */
export function headerBlock(fields: Fields): Uint8Array {
  return joined(fields.flatMap(([name, value]) => [Uint8Array.of(0), string(name), string(value)]));
}

/** Some bytes as one array. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The client's end of an HTTP/2 connection, one request after the other. Windows are left as they are: bodies are short. */
export class Http2Wire {
  readonly #client: TlsClient;
  readonly #decoder = new HpackDecoder();
  #unread = NOTHING;
  #nextStreamId = 1;

  private constructor(client: TlsClient) {
    this.#client = client;
  }

  /** Sends the {@linkcode OPENING}. */
  static async open(client: TlsClient): Promise<Http2Wire> {
    await client.write(OPENING);
    return new Http2Wire(client);
  }

  /** Sends a request without a body and waits for what becomes of it. */
  async request(fields: Fields): Promise<Ending> {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    try {
      await this.#client.write(
        frame(TYPE.headers, FLAG.endHeaders | FLAG.endStream, streamId, headerBlock(fields)),
      );
    } catch {
      // Its end may say why.
    }
    return await this.#ending(streamId);
  }

  /** The next frame; `null` = the connection has ended. Answers SETTINGS. */
  async next(): Promise<{ type: number; flags: number; streamId: number; payload: Uint8Array } | null> {
    for (;;) {
      const bytes = this.#unread;
      const length = bytes.length < 9 ? Infinity : bytes[0]! << 16 | bytes[1]! << 8 | bytes[2]!;
      if (bytes.length >= 9 + length) {
        this.#unread = bytes.subarray(9 + length);
        const [type, flags] = [bytes[3]!, bytes[4]!];
        if (type === TYPE.settings && (flags & FLAG.ack) === 0) {
          await this.#client.write(frame(TYPE.settings, FLAG.ack, 0)).catch(() => {});
        }
        return { type, flags, streamId: uint32(bytes, 5), payload: bytes.subarray(9, 9 + length) };
      }
      const more = await this.#client.read();
      if (more === null) return null;
      this.#unread = joined([bytes, more]);
    }
  }

  /** Reads to the end: the code of the last GOAWAY, or `null` if there was none. */
  async goneWith(): Promise<number | null> {
    let code = null;
    for (let found; (found = await this.next()) !== null;) {
      if (found.type === TYPE.goaway) code = uint32(found.payload, 4);
    }
    return code;
  }

  async #ending(streamId: number): Promise<Ending> {
    const answer = { status: 0, fields: [] as [string, string][], body: "" };
    for (let found; (found = await this.next()) !== null;) {
      const { type, flags, payload } = found;
      if (type === TYPE.goaway) return { goneWith: uint32(payload, 4) };
      if (found.streamId !== streamId) continue;
      if (type === TYPE.rstStream) return { resetWith: uint32(payload, 0) };
      if (type === TYPE.data) answer.body += String.fromCharCode(...payload);
      if (type === TYPE.headers) this.#decode(payload, answer.fields);
      if (type === TYPE.headers || type === TYPE.data) {
        if (flags & FLAG.endStream) {
          return { ...answer, status: Number(answer.fields.find(([name]) => name === ":status")?.[1]) };
        }
      }
    }
    return "closed";
  }

  #decode(block: Uint8Array, fields: [string, string][]): void {
    this.#decoder.decode(block, 0, block.length, ({ line, nameLength }) => {
      const text = String.fromCharCode(...line);
      fields.push([text.slice(0, nameLength), text.slice(nameLength + 2, -2)]);
    });
  }
}

function string(text: string): Uint8Array {
  const octets = Uint8Array.from(text, (char) => char.charCodeAt(0));
  return joined([Uint8Array.from(length(octets.length)), octets]);
}

/** An integer with a prefix of 7 bits (RFC 7541 §5.1). */
function length(value: number): number[] {
  if (value < 127) return [value];
  const octets = [127];
  let rest = value - 127;
  for (; rest >= 128; rest >>= 7) octets.push(rest & 127 | 128);
  return [...octets, rest];
}

function uint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}
