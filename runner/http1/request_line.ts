import { GatewayError } from "../errors.ts";
import { decodeLatin1, OCTET, OCTETS } from "./octets.ts";

const MAX_METHOD_BYTES = 32;
const SCHEME = /^https?:\/\//i;

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const SLASH = 0x2f;
const QUESTION = 0x3f;
/** `HTTP/1.1 CRLF`; the digit before the CRLF may be 0. */
const VERSION = new TextEncoder().encode("HTTP/1.1\r\n");
const VERSION_DIGIT = 7;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** What a request line says, and where its parts lie. */
export interface RequestLine {
  method: string;
  methodEnd: number;
  /** Of a target in absolute form. */
  authority: string | null;
  /** Of the target's path and query. */
  targetStart: number;
  targetEnd: number;
  /** It is HTTP/1.0. */
  isOld: boolean;
  /** After its CRLF. */
  end: number;
}

/** Why a request cannot be read: it breaks the protocol. */
export function malformed(what: string): GatewayError {
  return new GatewayError("BAD_REQUEST", `Cannot read a request: ${what}`);
}

/**
 * Reads the request line at `start` (RFC 9112 §3) of a head whose end has arrived.
 *
 * @throws {GatewayError} `BAD_REQUEST`
 */
export function readRequestLine(bytes: Uint8Array, start: number): RequestLine {
  const methodEnd = methodEndOf(bytes, start);
  const method = methodOf(bytes, start, methodEnd);
  const uriStart = methodEnd + 1;
  let at = uriStart;
  let authority: string | null = null;
  if (bytes[at] !== SLASH) {
    while (OCTETS[bytes[at]!]! & OCTET.path) at++;
    const text = decodeLatin1(bytes, uriStart, at);
    const scheme = SCHEME.exec(text);
    if (scheme === null) throw malformed("target in neither origin form nor absolute form");
    const path = text.indexOf("/", scheme[0].length);
    at = path === -1 ? at : uriStart + path;
    authority = decodeLatin1(bytes, uriStart + scheme[0].length, at);
  }
  const targetStart = at;
  let seen = 0;
  for (; OCTETS[bytes[at]!]! & OCTET.path; at++) seen |= bytes[at]!;
  if (bytes[at] === QUESTION) {
    for (at++; OCTETS[bytes[at]!]! & OCTET.query; at++) seen |= bytes[at]!;
  }
  if (bytes[at] !== SPACE) throw malformed("malformed target");
  if (seen > 0x7f && !isUtf8(bytes.subarray(targetStart, at))) throw malformed("target that is not UTF-8");
  const versionStart = at + 1;
  if (!isVersion(bytes, versionStart)) throw malformed("neither HTTP/1.1 nor HTTP/1.0");
  const isOld = bytes[versionStart + VERSION_DIGIT] === 0x30;
  return {
    method,
    methodEnd,
    authority,
    targetStart,
    targetEnd: at,
    isOld,
    end: versionStart + VERSION.length,
  };
}

function methodEndOf(bytes: Uint8Array, start: number): number {
  let at = start;
  while (OCTETS[bytes[at]!]! & OCTET.token) at++;
  if (at === start || at - start > MAX_METHOD_BYTES || bytes[at] !== SPACE) {
    throw malformed("malformed method");
  }
  return at;
}

/** The most usual ones without decoding them. */
function methodOf(bytes: Uint8Array, start: number, end: number): string {
  const isGet = end - start === 3 && bytes[start] === 0x47 && bytes[start + 1] === 0x45 &&
    bytes[start + 2] === 0x54;
  return isGet ? "GET" : decodeLatin1(bytes, start, end);
}

function isVersion(bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < VERSION.length; i++) {
    const octet = bytes[start + i];
    if (octet !== VERSION[i] && !(i === VERSION_DIGIT && octet === 0x30)) return false;
  }
  return true;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether `bytes[start, end)`, in which no head ends, cannot become a request, so that nobody has to wait for the rest.
 *
 * @param searched Index up to which that is known not to be so, but for the request line.
 */
export function isHopeless(bytes: Uint8Array, start: number, searched: number, end: number): boolean {
  if (start === end) return false;
  const first = bytes[start]!;
  if (first !== CR && (OCTETS[first]! & OCTET.token) === 0) return true;
  for (let at = Math.max(searched, start + 1); at < end; at++) {
    if (bytes[at] === LF && bytes[at - 1] !== CR) return true;
  }
  const lineEnd = bytes.subarray(start, end).indexOf(LF) + 1;
  return lineEnd > 0 && (lineEnd < VERSION.length || !isVersion(bytes, start + lineEnd - VERSION.length));
}
