import type { ByteBuffer } from "./byte_buffer.ts";
import { GatewayError } from "./errors.ts";
import { FIELD, FieldScanner, listOf } from "./field_scanner.ts";
import { decodeLatin1, OCTET, OCTETS } from "./octets.ts";

/** Where a response's body ends (RFC 9112 §6.3). */
export type Framing = "none" | "length" | "chunked" | "close";

/** The status line and header section of a response, understood where they lie. */
export interface ResponseHead {
  status: number;
  framing: Framing;
  /** Of the body, in bytes; 0 unless `framing` is "length". */
  length: number;
  /** The connection may carry another request after this response. */
  keepAlive: boolean;
  /** A content-length is said, of this body or of the one that a GET would have had. */
  saysLength: boolean;
  saysDate: boolean;
  /** Index after the head. */
  end: number;
  /** After the status, with the space before: the reason phrase, and the CRLF. */
  reasonStart: number;
  reasonEnd: number;
  /** Start and end of each piece of the header section that is passed on. Held until the next head is read. */
  pieces: readonly number[];
  /** What a handshake says. */
  upgrade: UpgradeFields | null;
}

/** The fields of a 101 (RFC 6455 §4.1); `null` = not there. */
export interface UpgradeFields {
  upgrade: string | null;
  connection: string | null;
  accept: string | null;
  protocol: string | null;
  extensions: string | null;
}

/** Of the whole head in bytes, and its header lines. */
export const MAX_RESPONSE_HEAD_BYTES = 64 * 1024;
const MAX_FIELDS = 256;
/** `HTTP/1.1 ` and three digits. */
const VERSION = new TextEncoder().encode("HTTP/1.1 ");
const STATUS_DIGITS = 3;
/** 15 digits are below `Number.MAX_SAFE_INTEGER`. */
const CONTENT_LENGTH = /^\d{1,15}$/;
const CLOSE = /(?:^|[,\t ])close(?:$|[,\t ])/i;

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;

/** The isolate did not speak HTTP/1.1. The one way in which this parser and the body decoder fail. */
export class ProtocolError extends GatewayError {
  override name = "ProtocolError";

  constructor(what: string) {
    super("BAD_RESPONSE", `Cannot read response: ${what}`);
  }
}

/** Reads the response heads of one connection to an isolate, strictly to RFC 9112. */
export class ResponseReader {
  readonly #scanner = new FieldScanner(MAX_FIELDS, (what) => new ProtocolError(what));
  readonly #pieces: number[] = [];

  /**
   * Reads the head in `bytes[start, end)`, which ends in an empty line.
   *
   * @param method Of the request: a response to HEAD has no body.
   * @throws {ProtocolError}
   */
  read(bytes: Uint8Array, start: number, end: number, method: string): ResponseHead {
    const status = readStatus(bytes, start);
    const reasonStart = start + VERSION.length + STATUS_DIGITS;
    let reasonEnd = reasonStart;
    while (OCTETS[bytes[reasonEnd]!]! & OCTET.value) reasonEnd++;
    if (bytes[reasonStart] !== SPACE || bytes[reasonEnd] !== CR || bytes[reasonEnd + 1] !== LF) {
      throw new ProtocolError("malformed status line");
    }
    reasonEnd += 2;
    const said = this.#readFields(bytes, reasonEnd, end, status, null);
    const { contentLength, transferEncoding, connection } = said;
    if (connection !== null && connection !== "keep-alive" && connection !== "close") {
      this.#readFields(bytes, reasonEnd, end, status, new Set(listOf(connection)));
    }
    if (contentLength !== null && transferEncoding !== null) {
      throw new ProtocolError("both content-length and transfer-encoding");
    }
    let framing: Framing = "length";
    if (method === "HEAD" || status < 200 || status === 204 || status === 205 || status === 304) {
      framing = "none";
    } else if (transferEncoding !== null) framing = "chunked";
    else if (contentLength === null) framing = "close";
    return {
      status,
      framing,
      length: framing === "length" ? Number(contentLength) : 0,
      keepAlive: framing !== "close" && (connection === null || !CLOSE.test(connection)),
      saysLength: contentLength !== null,
      saysDate: said.date,
      end,
      reasonStart,
      reasonEnd,
      pieces: this.#pieces,
      upgrade: status === 101 ? said : null,
    };
  }

  /** @param named By the `Connection` field, besides the usual ones. */
  #readFields(
    bytes: Uint8Array,
    start: number,
    end: number,
    status: number,
    named: ReadonlySet<string> | null,
  ) {
    const scanner = this.#scanner;
    const pieces = this.#pieces;
    const said = {
      contentLength: null as string | null,
      transferEncoding: null as string | null,
      connection: null as string | null,
      date: false,
      upgrade: null as string | null,
      accept: null as string | null,
      protocol: null as string | null,
      extensions: null as string | null,
    };
    const isUpgrade = status === 101;
    pieces.length = 0;
    scanner.begin(bytes, start, end);
    while (scanner.next()) {
      switch (scanner.kind) {
        case FIELD.hop:
          continue;
        case FIELD.connection:
          said.connection = said.connection === null
            ? scanner.value()
            : `${said.connection},${scanner.value()}`;
          continue;
        case FIELD.transferEncoding:
          if (said.transferEncoding !== null) throw new ProtocolError("two transfer-encoding fields");
          said.transferEncoding = scanner.value();
          if (said.transferEncoding.toLowerCase() !== "chunked") {
            throw new ProtocolError("unknown transfer-encoding");
          }
          continue;
        case FIELD.contentLength:
          if (said.contentLength !== null) throw new ProtocolError("two content-length fields");
          said.contentLength = scanner.value();
          if (!CONTENT_LENGTH.test(said.contentLength)) throw new ProtocolError("malformed content-length");
          if (isUpgrade || status === 204 || status === 205) continue; // RFC 9110 §8.6, §15.3.6
          break;
        case FIELD.upgrade:
          said.upgrade = said.upgrade === null ? scanner.value() : `${said.upgrade},${scanner.value()}`;
          continue;
        case FIELD.webSocketAccept:
          said.accept = said.accept === null ? scanner.value() : `${said.accept},${scanner.value()}`;
          if (isUpgrade) continue;
          break;
        case FIELD.webSocketProtocol:
          said.protocol = said.protocol === null ? scanner.value() : `${said.protocol},${scanner.value()}`;
          break;
        case FIELD.webSocketExtensions:
          said.extensions = scanner.value();
          if (isUpgrade) continue;
          break;
        case FIELD.date:
          said.date = true;
          break;
      }
      if (named !== null && named.has(scanner.name())) continue;
      if (pieces.length > 0 && pieces[pieces.length - 1] === scanner.lineStart) {
        pieces[pieces.length - 1] = scanner.lineEnd;
      } else pieces.push(scanner.lineStart, scanner.lineEnd);
    }
    return said;
  }
}

function readStatus(bytes: Uint8Array, start: number): number {
  for (let i = 0; i < VERSION.length; i++) {
    if (bytes[start + i] !== VERSION[i]) throw new ProtocolError("malformed status line");
  }
  let status = 0;
  for (let i = 0; i < STATUS_DIGITS; i++) {
    const digit = bytes[start + VERSION.length + i]! - 0x30;
    if (!(digit >= 0 && digit <= 9)) throw new ProtocolError("malformed status line");
    status = status * 10 + digit;
  }
  if (status < 100 || status > 599) throw new ProtocolError("malformed status line");
  return status;
}

/** The field lines that a visitor gets of a response, as they came. */
export function copyFields(head: ResponseHead, bytes: Uint8Array, out: ByteBuffer): void {
  const { pieces } = head;
  for (let i = 0; i < pieces.length; i += 2) out.copy(bytes, pieces[i]!, pieces[i + 1]!);
}

/** The reason phrase and its CRLF, with the space before. */
export function reasonOf(head: ResponseHead, bytes: Uint8Array): string {
  return decodeLatin1(bytes, head.reasonStart, head.reasonEnd);
}
