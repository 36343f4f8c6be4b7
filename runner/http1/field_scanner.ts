import { decodeLatin1, OCTET, OCTETS } from "./octets.ts";

/** What a proxy has to know a field by. */
export const FIELD = {
  /** End-to-end: passed on untouched. */
  other: 0,
  /** Of one connection, not of the message (RFC 9110 §7.6.1). */
  hop: 1,
  /** Of a request: a visitor cannot set it. */
  ours: 2,
  connection: 3,
  contentLength: 4,
  transferEncoding: 5,
  upgrade: 6,
  host: 7,
  expect: 8,
  traceparent: 9,
  tracestate: 10,
  cdnLoop: 11,
  date: 12,
  webSocketKey: 13,
  webSocketVersion: 14,
  webSocketProtocol: 15,
  webSocketAccept: 16,
  webSocketExtensions: 17,
  forwarded: 18,
  forwardedFor: 19,
  forwardedProto: 20,
  strictTransport: 21,
  subhost: 22,
  prewarm: 23,
  forwardedHost: 24,
} as const;

type FieldKind = (typeof FIELD)[keyof typeof FIELD];

const NAMES: readonly (readonly [name: string, kind: FieldKind])[] = [
  ["http2-settings", FIELD.hop],
  ["keep-alive", FIELD.hop],
  ["te", FIELD.hop],
  ["trailer", FIELD.hop],
  ["forwarded", FIELD.forwarded],
  ["x-forwarded-for", FIELD.forwardedFor],
  ["x-forwarded-proto", FIELD.forwardedProto],
  ["strict-transport-security", FIELD.strictTransport],
  ["x-deno-subhost", FIELD.subhost],
  ["x-deno-prewarm", FIELD.prewarm],
  ["x-forwarded-host", FIELD.forwardedHost],
  ["x-real-ip", FIELD.ours],
  ["connection", FIELD.connection],
  ["content-length", FIELD.contentLength],
  ["transfer-encoding", FIELD.transferEncoding],
  ["upgrade", FIELD.upgrade],
  ["host", FIELD.host],
  ["expect", FIELD.expect],
  ["traceparent", FIELD.traceparent],
  ["tracestate", FIELD.tracestate],
  ["cdn-loop", FIELD.cdnLoop],
  ["date", FIELD.date],
  ["sec-websocket-key", FIELD.webSocketKey],
  ["sec-websocket-version", FIELD.webSocketVersion],
  ["sec-websocket-protocol", FIELD.webSocketProtocol],
  ["sec-websocket-accept", FIELD.webSocketAccept],
  ["sec-websocket-extensions", FIELD.webSocketExtensions],
];
const PREFIXES: readonly (readonly [name: string, kind: FieldKind])[] = [
  ["proxy-", FIELD.hop],
  ["x-forwarded-", FIELD.ours],
  ["x-deno-", FIELD.ours],
  ["x-isola-", FIELD.ours],
];
const MAX_NAME_LENGTH = Math.max(...NAMES.map(([name]) => name.length));

interface Known {
  name: Uint8Array;
  kind: FieldKind;
}

const known = ([name, kind]: readonly [string, FieldKind]): Known => ({
  name: new TextEncoder().encode(name),
  kind,
});
const BY_LENGTH: readonly (readonly Known[])[] = Array.from(
  { length: MAX_NAME_LENGTH + 1 },
  (_, length) => NAMES.filter(([name]) => name.length === length).map(known),
);
const BY_PREFIX: readonly Known[] = PREFIXES.map(known);

/** What is below `Number.MAX_SAFE_INTEGER` whatever the digits are. */
const MAX_DIGITS = 15;
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;

/**
 * Reads a header or trailer section (RFC 9112 §5) field by field, where it lies. Strictly: what a lenient parser would repair
 * (bare LF, folded lines, blanks before the colon) is where two parsers disagree.
 */
export class FieldScanner {
  readonly #malformed: (what: string) => Error;
  readonly #maxFields: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #fields = 0;
  /** Of the current field: the line through its CRLF, and in it the name's end and the value without blanks around it. */
  lineStart = 0;
  lineEnd = 0;
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  kind: FieldKind = FIELD.other;

  /** @param malformed Makes the error that {@linkcode next} throws. */
  constructor(maxFields: number, malformed: (what: string) => Error) {
    this.#maxFields = maxFields;
    this.#malformed = malformed;
  }

  /** Begins with the section at `start`; its end is in `bytes[start, end)`. */
  begin(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#fields = 0;
  }

  /** Goes to the next field; false = the section's empty line, after which is `lineEnd`. */
  next(): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    if (at + 2 > this.#end) throw this.#malformed("header section without an end");
    if (bytes[at] === CR) {
      if (bytes[at + 1] !== LF) throw this.#malformed("malformed header field");
      this.lineEnd = at + 2;
      return false;
    }
    if (this.#fields++ === this.#maxFields) {
      throw this.#malformed(`more than ${this.#maxFields} header fields`);
    }
    this.lineStart = at;
    while (OCTETS[bytes[at]!]! & OCTET.token) at++;
    if (at === this.lineStart || bytes[at] !== COLON) throw this.#malformed("malformed header field");
    this.nameEnd = at++;
    while (isBlank(bytes[at]!)) at++;
    this.valueStart = at;
    while (OCTETS[bytes[at]!]! & OCTET.value) at++;
    if (at + 2 > this.#end || bytes[at] !== CR || bytes[at + 1] !== LF) {
      throw this.#malformed("malformed header field");
    }
    this.#at = this.lineEnd = at + 2;
    while (at > this.valueStart && isBlank(bytes[at - 1]!)) at--;
    this.valueEnd = at;
    this.kind = kindOf(bytes, this.lineStart, this.nameEnd);
    return true;
  }

  /** Adds the current line to pieces that are told by the start and end of each; lines in a row are one. */
  addLineTo(pieces: number[]): void {
    const last = pieces.length - 1;
    if (last > 0 && pieces[last] === this.lineStart) pieces[last] = this.lineEnd;
    else pieces.push(this.lineStart, this.lineEnd);
  }

  /** In lower case. */
  name(): string {
    return decodeLatin1(this.#bytes, this.lineStart, this.nameEnd).toLowerCase();
  }

  value(): string {
    return decodeLatin1(this.#bytes, this.valueStart, this.valueEnd);
  }

  /** The value as digits alone; -1 = it is none, or past `Number.MAX_SAFE_INTEGER`. */
  integer(): number {
    const digits = this.valueEnd - this.valueStart;
    if (digits === 0 || digits > MAX_DIGITS) return -1;
    let integer = 0;
    for (let at = this.valueStart; at < this.valueEnd; at++) {
      const digit = this.#bytes[at]! - 0x30;
      if (digit < 0 || digit > 9) return -1;
      integer = integer * 10 + digit;
    }
    return integer;
  }

  /** Adds the value to those of other fields of its name (RFC 9110 §5.3). */
  listed(others: string | null): string {
    return others === null ? this.value() : `${others}, ${this.value()}`;
  }
}

/** Optional whitespace is space and tab alone (RFC 9110 §5.6.3): U+00A0 is a legal byte of a value. */
function isBlank(octet: number): boolean {
  return octet === SPACE || octet === TAB;
}

function kindOf(bytes: Uint8Array, start: number, end: number): FieldKind {
  const candidates = BY_LENGTH[end - start];
  if (candidates !== undefined) {
    for (const { name, kind } of candidates) if (begins(bytes, start, name)) return kind;
  }
  for (const { name, kind } of BY_PREFIX) {
    if (end - start >= name.length && begins(bytes, start, name)) return kind;
  }
  return FIELD.other;
}

/** Of tokens, the bit 0x20 tells nothing apart but the cases of a letter, and "^" from "~", which no known name has. */
function begins(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) if ((bytes[start + i]! | 0x20) !== name[i]) return false;
  return true;
}

/** The index after the first CRLF CRLF in `bytes[start, end)`, or -1. */
export function headEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let i = start + 3; i < end; i++) {
    if (bytes[i] !== LF) continue;
    if (bytes[i - 1] === CR && bytes[i - 2] === LF && bytes[i - 3] === CR) return i + 1;
  }
  return -1;
}

/** The lower-case members of a comma-separated list (RFC 9110 §5.6.1). */
export function listOf(value: string): readonly string[] {
  return value.toLowerCase().split(",").map((member) => member.trim());
}
