import { GatewayError } from "../errors.ts";
import { FIELD, FieldScanner, listOf } from "./field_scanner.ts";
import { OCTET, OCTETS } from "./octets.ts";

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
  saysDate: boolean;
  saysStrictTransport: boolean;
  /** Where it lies: the status line through its CRLF, and the header section through its empty line. */
  start: number;
  fieldsStart: number;
  end: number;
  /** Start and end of each piece of the header section that is passed on. Good until the next head is read. */
  pieces: readonly number[];
  /** Of a 101. Good until the next head is read. */
  upgrade: UpgradeFields | null;
}

/** What a 101 says (RFC 6455 §4.1); `null` = nothing. */
export interface UpgradeFields {
  upgrade: string | null;
  connection: string | null;
  accept: string | null;
  protocol: string | null;
  extensions: string | null;
}

interface Said extends UpgradeFields {
  /** -1 = nothing. */
  contentLength: number;
  chunked: boolean;
  date: boolean;
  strictTransport: boolean;
}

const NOTHING_SAID: Readonly<Said> = {
  contentLength: -1,
  chunked: false,
  date: false,
  strictTransport: false,
  connection: null,
  upgrade: null,
  accept: null,
  protocol: null,
  extensions: null,
};

/** Of the whole head in bytes, and its header lines. */
export const MAX_RESPONSE_HEAD_BYTES = 64 * 1024;
const MAX_FIELDS = 256;
/** `HTTP/1.1 ` and three digits. */
const VERSION = new TextEncoder().encode("HTTP/1.1 ");
const STATUS_DIGITS = 3;
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
  readonly #said: Said = { ...NOTHING_SAID };

  /**
   * Reads the head at `start`, whose end is in `bytes[start, end)`.
   *
   * @param method Of the request: a response to HEAD has no body.
   * @throws {ProtocolError}
   */
  read(bytes: Uint8Array, start: number, end: number, method: string): ResponseHead {
    const status = readStatus(bytes, start);
    const fieldsStart = endOfReason(bytes, start + VERSION.length + STATUS_DIGITS);
    const said = Object.assign(this.#said, NOTHING_SAID);
    this.#readFields(bytes, fieldsStart, end, status, null);
    const { contentLength, chunked, connection } = said;
    if (connection !== null && connection !== "keep-alive" && connection !== "close") {
      Object.assign(said, NOTHING_SAID);
      this.#readFields(bytes, fieldsStart, end, status, new Set(listOf(connection)));
    }
    if (contentLength !== -1 && chunked) throw new ProtocolError("both content-length and transfer-encoding");
    let framing: Framing = "length";
    if (method === "HEAD" || status < 200 || status === 204 || status === 205 || status === 304) {
      framing = "none";
    } else if (chunked) framing = "chunked";
    else if (contentLength === -1) framing = "close";
    return {
      status,
      framing,
      length: framing === "length" ? contentLength : 0,
      keepAlive: framing !== "close" && (connection === null || !CLOSE.test(connection)),
      saysDate: said.date,
      saysStrictTransport: said.strictTransport,
      start,
      fieldsStart,
      end: this.#scanner.lineEnd,
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
  ): void {
    const scanner = this.#scanner;
    const pieces = this.#pieces;
    pieces.length = 0;
    scanner.begin(bytes, start, end);
    while (scanner.next()) {
      if (scanner.kind !== FIELD.other && !this.#note(scanner, status)) continue;
      // Whatever an app calls hop-by-hop, where the body ends is told.
      if (named !== null && scanner.kind !== FIELD.contentLength && named.has(scanner.name())) continue;
      scanner.addLineTo(pieces);
    }
  }

  /** Whether the visitor gets the field, too. */
  #note(scanner: FieldScanner, status: number): boolean {
    const said = this.#said;
    switch (scanner.kind) {
      case FIELD.date:
        return said.date = true;
      case FIELD.strictTransport:
        return said.strictTransport = true;
      case FIELD.contentLength:
        if (said.contentLength !== -1) throw new ProtocolError("two content-length fields");
        said.contentLength = scanner.integer();
        if (said.contentLength === -1) throw new ProtocolError("malformed content-length");
        return status !== 101 && status !== 204 && status !== 205; // RFC 9110 §8.6, §15.3.6
      case FIELD.transferEncoding:
        if (said.chunked) throw new ProtocolError("two transfer-encoding fields");
        if (scanner.value().toLowerCase() !== "chunked") throw new ProtocolError("unknown transfer-encoding");
        said.chunked = true;
        return false;
      case FIELD.connection:
        said.connection = scanner.listed(said.connection);
        return false;
      case FIELD.upgrade:
        said.upgrade = scanner.listed(said.upgrade);
        return false;
      case FIELD.webSocketAccept:
        said.accept = scanner.listed(said.accept);
        return status !== 101;
      case FIELD.webSocketProtocol:
        said.protocol = scanner.listed(said.protocol);
        return true;
      case FIELD.webSocketExtensions:
        said.extensions = scanner.listed(said.extensions);
        return true;
      default:
        return scanner.kind !== FIELD.hop;
    }
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

/** Index after the reason phrase and its CRLF. */
function endOfReason(bytes: Uint8Array, start: number): number {
  let at = start;
  while (OCTETS[bytes[at]!]! & OCTET.value) at++;
  if (bytes[start] !== SPACE || bytes[at] !== CR || bytes[at + 1] !== LF) {
    throw new ProtocolError("malformed status line");
  }
  return at + 2;
}
