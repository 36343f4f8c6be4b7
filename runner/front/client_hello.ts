import { isIP } from "node:net";
import { canonicalHostname } from "../http1/authority.ts";
import { ByteBuffer } from "../http1/byte_buffer.ts";
import { decodeLatin1 } from "../http1/octets.ts";
import type { Alert } from "./alert.ts";

/** Of all records of a ClientHello: with post-quantum key shares one has about 2 KB. */
export const MAX_HELLO_BYTES = 64 * 1024;

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER_BYTES = 5;
const MESSAGE_HEADER_BYTES = 4;
const MAX_RECORD_BYTES = 16 * 1024;
/** The version and the random number. */
const FIXED_BYTES = 2 + 32;
const SERVER_NAME = 0;
const HOST_NAME = 0;

/** What is known of a connection that should begin with a ClientHello. */
export type HelloState =
  | "incomplete"
  /** It begins as a request of plain HTTP would. */
  | "http"
  /** It begins as nothing that could be answered. */
  | "foreign"
  | { alert: Alert }
  /** The name that the client asks for: lower case, no trailing dot. */
  | { serverName: string };

class DecodeError extends Error {}

/**
 * Finds the server name (RFC 6066 §3) in a ClientHello (RFC 8446 §4.1.2) that may come in any number of pieces and records. Only
 * what leads there is checked: the rest is for whoever has the certificate.
 */
export class ClientHelloReader {
  /** Where the first record begins that is not in `#message`. */
  #at = 0;
  /** The handshake message, as far as whole records have brought it. */
  #message: Uint8Array = new Uint8Array(0);
  /** What `#message` is in when several records have brought it. */
  #gathered: ByteBuffer | null = null;

  /** @param bytes Everything received so far, which only ever grows. */
  read(bytes: Uint8Array): HelloState {
    if (bytes.length === 0) return "incomplete";
    if (bytes[0] !== HANDSHAKE_RECORD) return isLetter(bytes[0]!) ? "http" : "foreign";
    while (bytes.length - this.#at >= RECORD_HEADER_BYTES) {
      const header = this.#at;
      const start = header + RECORD_HEADER_BYTES;
      const end = start + (bytes[header + 3]! << 8 | bytes[header + 4]!);
      if (bytes[header] !== HANDSHAKE_RECORD) return { alert: "unexpectedMessage" };
      if (bytes[header + 1] !== 3 || end === start || end - start > MAX_RECORD_BYTES) {
        return { alert: "decodeError" };
      }
      if (end > bytes.length) break;
      this.#append(bytes.subarray(start, end));
      this.#at = end;
      const state = this.#readMessage();
      if (state !== "incomplete") return state;
    }
    return bytes.length < MAX_HELLO_BYTES ? "incomplete" : { alert: "decodeError" };
  }

  /** Usually there is one record, of which nothing is copied. */
  #append(fragment: Uint8Array): void {
    if (this.#message.length === 0) {
      this.#message = fragment;
      return;
    }
    if (this.#gathered === null) {
      this.#gathered = new ByteBuffer();
      this.#gathered.copy(this.#message);
    }
    this.#gathered.copy(fragment);
    this.#message = this.#gathered.view;
  }

  #readMessage(): HelloState {
    const message = this.#message;
    if (message[0] !== CLIENT_HELLO) return { alert: "unexpectedMessage" };
    if (message.length < MESSAGE_HEADER_BYTES) return "incomplete";
    const end = MESSAGE_HEADER_BYTES + (message[1]! << 16 | message[2]! << 8 | message[3]!);
    if (end > MAX_HELLO_BYTES) return { alert: "decodeError" };
    if (end > message.length) return "incomplete";
    try {
      return readServerName(new Cursor(message.subarray(MESSAGE_HEADER_BYTES, end)));
    } catch (error) {
      if (error instanceof DecodeError) return { alert: "decodeError" };
      throw error;
    }
  }
}

function readServerName(hello: Cursor): HelloState {
  hello.take(FIXED_BYTES);
  hello.take(hello.uint8()); // Session.
  hello.take(hello.uint16()); // Cipher suites.
  hello.take(hello.uint8()); // Compression methods.
  if (hello.left === 0) return { alert: "missingExtension" };
  const extensions = new Cursor(hello.take(hello.uint16()));
  if (hello.left > 0) throw new DecodeError();
  let name: Uint8Array | null = null;
  while (extensions.left > 0) {
    const type = extensions.uint16();
    const content = extensions.take(extensions.uint16());
    if (type !== SERVER_NAME) continue;
    if (name !== null) return { alert: "illegalParameter" };
    name = readHostName(new Cursor(content));
  }
  return name === null ? { alert: "missingExtension" } : checkName(decodeLatin1(name, 0, name.length));
}

/** Of the list, which may have one name of a type, and knows one type. */
function readHostName(extension: Cursor): Uint8Array {
  const list = new Cursor(extension.take(extension.uint16()));
  if (list.uint8() !== HOST_NAME) throw new DecodeError();
  const name = list.take(list.uint16());
  if (name.length === 0 || list.left > 0 || extension.left > 0) throw new DecodeError();
  return name;
}

function checkName(name: string): HelloState {
  if (isIP(name) !== 0) return { alert: "unrecognizedName" };
  const serverName = name.includes(":") ? null : canonicalHostname(name);
  return serverName === null ? { alert: "illegalParameter" } : { serverName };
}

function isLetter(octet: number): boolean {
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/** Reads from the front of bytes; past their end it throws {@linkcode DecodeError}. */
class Cursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  uint8(): number {
    return this.take(1)[0]!;
  }

  uint16(): number {
    const [high, low] = this.take(2);
    return high! << 8 | low!;
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw new DecodeError();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
