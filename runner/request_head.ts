import { type Authority, readAuthority } from "./authority.ts";
import { GatewayError } from "./errors.ts";
import { FIELD, FieldScanner, listOf } from "./field_scanner.ts";
import type { ByteBuffer } from "./byte_buffer.ts";
import { decodeLatin1, OCTET, OCTETS } from "./octets.ts";
import { isTraceparent, newTraceparent } from "./trace_context.ts";

/** The other end of the visitor's connection. */
export interface Peer {
  hostname: string;
  port: number;
}

/** What a visitor's request head says to us. What it says to the app is in the head that the isolate gets. */
export interface RequestHead {
  method: string;
  authority: Authority;
  /** HTTP/1.0: no chunks, and no further request unless asked for. */
  isOld: boolean;
  /** The visitor wants the connection to carry another request. */
  keepAlive: boolean;
  /** Of the body, in bytes; 0 = none, `Infinity` = where its chunks end. */
  contentLength: number;
  /** There is a framing field, perhaps for a body of 0 bytes. */
  framed: boolean;
  /** The visitor waits for a 100 before it sends the body. */
  expectsContinue: boolean;
  /** An opening handshake (RFC 6455 §4.2.1): anything less is an ordinary request. */
  webSocket: { key: string; protocols: string | null } | null;
}

/** Of a whole head in bytes. */
export const MAX_REQUEST_HEAD_BYTES = 64 * 1024;
/** A `node:http` or `Deno.serve` app takes 100, and we add some. */
const MAX_FIELDS = 90;
const MAX_METHOD_BYTES = 32;
const PROTO = "http";
/** This edge's name in `CDN-Loop` (RFC 8586 §2). */
const CDN_ID = "isola";
const MAX_LOOPS = 8;
/** 15 digits are below `Number.MAX_SAFE_INTEGER`. */
const CONTENT_LENGTH = /^\d{1,15}$/;
/** 16 bytes in base64. */
const WEBSOCKET_KEY = /^[A-Za-z0-9+/]{22}==$/;
const WEBSOCKET_VERSION = "13";
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

function malformed(what: string): GatewayError {
  return new GatewayError("BAD_REQUEST", `Cannot read a request: ${what}`);
}

/** What the fields of one head say, while they are read. */
interface Fields {
  host: string | null;
  contentLength: string | null;
  transferEncoding: string | null;
  connection: string | null;
  upgrade: string | null;
  expect: string | null;
  traceparent: string | null;
  /** How often it came. */
  traceparents: number;
  tracestate: string | null;
  cdnLoop: string | null;
  webSocketKey: string | null;
  webSocketVersion: string | null;
  webSocketProtocol: string | null;
}

/** Where the target of a request line lies. */
interface Target {
  /** Of an absolute form. */
  authority: string | null;
  start: number;
  end: number;
  lineEnd: number;
  isOld: boolean;
}

/**
 * Reads the request heads of one visitor's connection, strictly to RFC 9112, and writes what an isolate gets of them
 * (INTERFACE §3). The request target goes out in absolute form (RFC 9112 §3.2.2), so that `request.url` in the app is the
 * visitor's.
 */
export class RequestReader {
  readonly #address: string;
  readonly #node: string;
  readonly #scanner = new FieldScanner(MAX_FIELDS, malformed);
  /** Start and end of each piece that is passed on as it is. */
  readonly #pieces: number[] = [];
  /** Of the last request, which is usually the next one's, too. */
  #authority: Authority | null = null;
  #peerLines = "";

  constructor(peer: Peer) {
    this.#address = peerAddress(peer);
    this.#node = `${this.#address.includes(":") ? `[${this.#address}]` : this.#address}:${peer.port}`;
  }

  /**
   * Reads the head in `bytes[start, end)`, which ends in an empty line, and writes to `out` the isolate's but for its framing
   * and its own empty line.
   *
   * @throws {GatewayError} `BAD_REQUEST`; `LOOP_DETECTED` past 8 passes through this edge.
   */
  read(bytes: Uint8Array, start: number, end: number, out: ByteBuffer): RequestHead {
    const methodEnd = methodEndOf(bytes, start);
    const target = readTarget(bytes, methodEnd + 1);
    let fields = this.#readFields(bytes, target.lineEnd, end, null);
    const options = fields.connection === null ? [] : listOf(fields.connection);
    if (options.some((option) => option !== "close" && option !== "keep-alive")) {
      fields = this.#readFields(bytes, target.lineEnd, end, new Set(options));
    }
    const authority = this.#readAuthority(target.authority, fields.host);
    if (authority === null) throw malformed("no valid authority");

    out.copy(bytes, start, methodEnd + 1);
    out.text(`${PROTO}://`);
    out.text(authority.host);
    if (bytes[target.start] !== SLASH) out.text("/");
    out.copy(bytes, target.start, target.end);
    out.text(" HTTP/1.1\r\nhost: ");
    out.text(authority.host);
    out.text("\r\n");
    const pieces = this.#pieces;
    for (let i = 0; i < pieces.length; i += 2) out.copy(bytes, pieces[i]!, pieces[i + 1]!);
    out.text(this.#peerLines);
    writeTrace(fields, out);
    out.text(`cdn-loop: ${cdnLoop(fields.cdnLoop)}\r\n`);

    const method = decodeLatin1(bytes, start, methodEnd);
    return { method, authority, isOld: target.isOld, ...hopFacts(method, fields, options, target.isOld) };
  }

  /** @param named By the `Connection` field, besides the usual ones. */
  #readFields(bytes: Uint8Array, start: number, end: number, named: ReadonlySet<string> | null): Fields {
    const scanner = this.#scanner;
    const pieces = this.#pieces;
    const fields: Fields = {
      host: null,
      contentLength: null,
      transferEncoding: null,
      connection: null,
      upgrade: null,
      expect: null,
      traceparent: null,
      traceparents: 0,
      tracestate: null,
      cdnLoop: null,
      webSocketKey: null,
      webSocketVersion: null,
      webSocketProtocol: null,
    };
    pieces.length = 0;
    scanner.begin(bytes, start, end);
    while (scanner.next()) {
      if (scanner.kind !== FIELD.other) noteField(scanner, fields);
      else if (named === null || !named.has(scanner.name())) {
        if (pieces.length > 0 && pieces[pieces.length - 1] === scanner.lineStart) {
          pieces[pieces.length - 1] = scanner.lineEnd;
        } else pieces.push(scanner.lineStart, scanner.lineEnd);
      }
    }
    return fields;
  }

  #readAuthority(ofTarget: string | null, host: string | null): Authority | null {
    if (host === null) return null; // RFC 9112 §3.2: whatever the target says.
    if (ofTarget === null && this.#authority?.host === host) return this.#authority;
    const authority = readAuthority(ofTarget, host);
    if (authority === null) return null;
    this.#authority = authority;
    this.#peerLines = `x-forwarded-for: ${this.#address}\r\nx-forwarded-proto: ${PROTO}\r\n` +
      `x-forwarded-host: ${authority.host}\r\n` +
      `forwarded: for="${this.#node}";host="${authority.host}";proto=${PROTO}\r\n`;
    return authority;
  }
}

function methodEndOf(bytes: Uint8Array, start: number): number {
  let at = start;
  while (OCTETS[bytes[at]!]! & OCTET.token) at++;
  if (at === start || at - start > MAX_METHOD_BYTES || bytes[at] !== SPACE) {
    throw malformed("malformed method");
  }
  return at;
}

function readTarget(bytes: Uint8Array, start: number): Target {
  let at = start;
  let authority: string | null = null;
  if (bytes[at] !== SLASH) {
    while (OCTETS[bytes[at]!]! & OCTET.path) at++;
    const text = decodeLatin1(bytes, start, at);
    const scheme = SCHEME.exec(text);
    if (scheme === null) throw malformed("target in neither origin form nor absolute form");
    const path = text.indexOf("/", scheme[0].length);
    at = path === -1 ? at : start + path;
    authority = decodeLatin1(bytes, start + scheme[0].length, at);
  }
  const pathStart = at;
  let seen = 0;
  for (; OCTETS[bytes[at]!]! & OCTET.path; at++) seen |= bytes[at]!;
  if (bytes[at] === QUESTION) {
    for (at++; OCTETS[bytes[at]!]! & OCTET.query; at++) seen |= bytes[at]!;
  }
  if (bytes[at] !== SPACE) throw malformed("malformed target");
  if (seen > 0x7f && !isUtf8(bytes.subarray(pathStart, at))) throw malformed("target that is not UTF-8");
  const versionStart = at + 1;
  for (let i = 0; i < VERSION.length; i++) {
    const octet = bytes[versionStart + i];
    if (octet !== VERSION[i] && !(i === VERSION_DIGIT && octet === 0x30)) {
      throw malformed("neither HTTP/1.1 nor HTTP/1.0");
    }
  }
  const isOld = bytes[versionStart + VERSION_DIGIT] === 0x30;
  return { authority, start: pathStart, end: at, lineEnd: versionStart + VERSION.length, isOld };
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Fields that may come once. */
const SINGLE = {
  [FIELD.host]: "host",
  [FIELD.contentLength]: "contentLength",
  [FIELD.transferEncoding]: "transferEncoding",
  [FIELD.webSocketKey]: "webSocketKey",
  [FIELD.webSocketVersion]: "webSocketVersion",
} as const;
/** Fields that are lists. */
const LISTS = {
  [FIELD.connection]: "connection",
  [FIELD.upgrade]: "upgrade",
  [FIELD.expect]: "expect",
  [FIELD.tracestate]: "tracestate",
  [FIELD.cdnLoop]: "cdnLoop",
  [FIELD.webSocketProtocol]: "webSocketProtocol",
} as const;

function noteField(scanner: FieldScanner, fields: Fields): void {
  const { kind } = scanner;
  if (kind in SINGLE) {
    const key = SINGLE[kind as keyof typeof SINGLE];
    if (fields[key] !== null) throw malformed(`two ${scanner.name()} fields`);
    fields[key] = scanner.value();
  } else if (kind in LISTS) {
    const key = LISTS[kind as keyof typeof LISTS];
    const value = scanner.value();
    fields[key] = fields[key] === null ? value : `${fields[key]}, ${value}`;
  } else if (kind === FIELD.traceparent) {
    fields.traceparent = scanner.value();
    fields.traceparents++;
  }
}

/** What ends at this hop: the framing, the connection, the handshake. */
function hopFacts(method: string, fields: Fields, options: readonly string[], isOld: boolean) {
  const { contentLength, transferEncoding, webSocketKey } = fields;
  if (transferEncoding !== null) {
    if (contentLength !== null) throw malformed("both content-length and transfer-encoding");
    if (isOld || transferEncoding.toLowerCase() !== "chunked") throw malformed("unknown transfer-encoding");
  }
  if (contentLength !== null && !CONTENT_LENGTH.test(contentLength)) {
    throw malformed("malformed content-length");
  }
  const isHandshake = method === "GET" && !isOld && webSocketKey !== null &&
    WEBSOCKET_KEY.test(webSocketKey) &&
    fields.webSocketVersion === WEBSOCKET_VERSION && options.includes("upgrade") &&
    fields.upgrade !== null && listOf(fields.upgrade).includes("websocket");
  return {
    keepAlive: isOld ? options.includes("keep-alive") : !options.includes("close"),
    contentLength: transferEncoding === null ? Number(contentLength ?? 0) : Infinity,
    framed: contentLength !== null || transferEncoding !== null,
    expectsContinue: !isOld && fields.expect?.toLowerCase() === "100-continue",
    webSocket: isHandshake ? { key: webSocketKey, protocols: fields.webSocketProtocol } : null,
  };
}

/** A dual-stack listener shows IPv4 peers as `::ffff:1.2.3.4` (RFC 4291 §2.5.5.2). */
function peerAddress({ hostname }: Peer): string {
  return hostname.startsWith("::ffff:") && hostname.includes(".") ? hostname.slice(7) : hostname;
}

/** A trace goes on with its state, or a new one begins. */
function writeTrace({ traceparent, traceparents, tracestate }: Fields, out: ByteBuffer): void {
  const goesOn = traceparents === 1 && isTraceparent(traceparent!);
  if (goesOn && tracestate !== null) out.text(`tracestate: ${tracestate}\r\n`);
  out.text("traceparent: ");
  out.text(goesOn ? traceparent! : newTraceparent());
  out.text("\r\n");
}

function cdnLoop(received: string | null): string {
  if (received === null) return CDN_ID;
  const passes =
    received.split(",").filter((hop) => hop.split(";")[0]!.trim().toLowerCase() === CDN_ID).length;
  if (passes >= MAX_LOOPS) {
    throw new GatewayError("LOOP_DETECTED", `Cannot forward a request after ${passes} passes`);
  }
  return `${received}, ${CDN_ID}`;
}

/** Whether bytes that begin with `octet` cannot become a request, so that nobody has to wait for the rest. */
export function isHopeless(octet: number): boolean {
  return octet !== CR && octet !== LF && (OCTETS[octet]! & OCTET.token) === 0;
}
