import { GatewayError } from "./errors.ts";

/** Where a response's body ends (RFC 9112 §6.3). */
export type Framing = "none" | "length" | "chunked" | "close";

/** The status line and header section of a response, understood. */
export interface ResponseHead {
  status: number;
  /** In order, names in lower case, values as Latin-1 characters. */
  fields: readonly (readonly [name: string, value: string])[];
  framing: Framing;
  /** Of the body, in bytes; 0 unless `framing` is "length". */
  length: number;
  /** The `Connection` fields, joined; `null` = none. */
  connection: string | null;
  /** The connection may carry another request after this response. */
  keepAlive: boolean;
}

/** Of the whole head in bytes, and its header lines. */
export const MAX_HEAD_BYTES = 64 * 1024;
const MAX_FIELDS = 256;
const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e\x80-\xff]*$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const CLOSE = /(?:^|[,\t ])close(?:$|[,\t ])/i;
/** 15 digits are below `Number.MAX_SAFE_INTEGER`. */
const CONTENT_LENGTH = /^\d{1,15}$/;

/** The isolate did not speak HTTP/1.1. The one way in which this parser and the body decoder fail. */
export class ProtocolError extends GatewayError {
  override name = "ProtocolError";

  constructor(what: string) {
    super("BAD_RESPONSE", `Cannot read response: ${what}`);
  }
}

/** The index after the first CRLF CRLF in `bytes[start, end)`, or -1. */
export function headEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let i = start + 3; i < end; i++) {
    if (bytes[i] !== 0x0a) continue;
    if (bytes[i - 1] === 0x0d && bytes[i - 2] === 0x0a && bytes[i - 3] === 0x0d) return i + 1;
  }
  return -1;
}

/**
 * Parses one response head, strictly to RFC 9112: what a lenient parser would repair (bare LF, folded lines, blanks
 * before the colon, two lengths) is where two parsers disagree.
 *
 * @param text The head through its empty line, as Latin-1 characters.
 * @param method Of the request: a response to HEAD has no body.
 * @throws {ProtocolError}
 */
export function parseResponseHead(text: string, method: string): ResponseHead {
  const lineEnd = text.indexOf("\r\n");
  const statusLine = STATUS_LINE.exec(text.slice(0, lineEnd));
  if (!statusLine) throw new ProtocolError("malformed status line");
  const status = Number(statusLine[1]);
  const fields = parseFields(text, lineEnd + 2);

  let contentLength: string | null = null;
  let transferEncoding: string | null = null;
  let connection: string | null = null;
  for (const [name, value] of fields) {
    if (name === "content-length") {
      if (contentLength !== null) throw new ProtocolError("two content-length fields");
      if (!CONTENT_LENGTH.test(value)) throw new ProtocolError("malformed content-length");
      contentLength = value;
    } else if (name === "transfer-encoding") {
      if (transferEncoding !== null) throw new ProtocolError("two transfer-encoding fields");
      if (value.toLowerCase() !== "chunked") throw new ProtocolError("unknown transfer-encoding");
      transferEncoding = value;
    } else if (name === "connection") connection = connection === null ? value : `${connection},${value}`;
  }
  if (contentLength !== null && transferEncoding !== null) {
    throw new ProtocolError("both content-length and transfer-encoding");
  }

  let framing: Framing = "length";
  if (method === "HEAD" || status < 200 || status === 204 || status === 205 || status === 304) {
    framing = "none";
  } else if (transferEncoding !== null) framing = "chunked";
  else if (contentLength === null) framing = "close";
  const length = framing === "length" ? Number(contentLength) : 0;
  const keepAlive = framing !== "close" && (connection === null || !CLOSE.test(connection));
  return { status, fields, framing, length, connection, keepAlive };
}

/**
 * Parses a header or trailer section (RFC 9112 §5) from `start` through its empty line, which must end `text`.
 *
 * @throws {ProtocolError}
 */
export function parseFields(text: string, start: number): [name: string, value: string][] {
  const fields: [string, string][] = [];
  let at = start;
  for (;;) {
    const end = text.indexOf("\r\n", at);
    if (end === -1) throw new ProtocolError("header section without an end");
    if (end === at) break;
    if (fields.length === MAX_FIELDS) throw new ProtocolError(`more than ${MAX_FIELDS} header fields`);
    const colon = text.indexOf(":", at);
    const name = text.slice(at, colon);
    const value = trimBlanks(text.slice(colon + 1, end));
    if (colon === -1 || colon > end || !TOKEN.test(name) || !FIELD_VALUE.test(value)) {
      throw new ProtocolError("malformed header field");
    }
    fields.push([name.toLowerCase(), value]);
    at = end + 2;
  }
  if (at + 2 !== text.length) throw new ProtocolError("bytes after the header section");
  return fields;
}

/** Optional whitespace is space and tab alone (RFC 9110 §5.6.3); `trim()` would take U+00A0 too, a legal byte. */
function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

function isBlank(char: number): boolean {
  return char === 0x20 || char === 0x09;
}
