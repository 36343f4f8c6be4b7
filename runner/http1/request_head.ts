import { type Addressed, addressed } from "./addressed.ts";
import { type Authority, readAuthority } from "./authority.ts";
import type { ByteBuffer } from "./byte_buffer.ts";
import { GatewayError } from "../errors.ts";
import { canonicalAddress } from "../front/address.ts";
import { FIELD, FieldScanner, listOf } from "./field_scanner.ts";
import { decodeLatin1 } from "./octets.ts";
import { malformed, readRequestLine } from "./request_line.ts";
import { type Client, TrustedProxies } from "../front/trusted_proxies.ts";
import { DEFAULT_VISITOR_LIMITS, type VisitorLimits } from "../visitor_limits.ts";

/** The other end of the visitor's connection. */
export interface Peer {
  hostname: string;
  port: number;
  /** What the connection was secured with; none = it is plain. */
  certificate?: CoveredNames;
  /** Who may say that it speaks for others. */
  proxies?: TrustedProxies;
  /** There are relays, whose requests have a token. @default {false} */
  hasRelays?: boolean;
}

/** The names that a certificate is for. */
export interface CoveredNames {
  /** @param hostname Lower case, without port and trailing dot. */
  covers(hostname: string): boolean;
}

/** What a relay says of a request that it passes on (deno.com/subhosting/docs/ingress). Nobody knows yet that it is one. */
export interface RelayFields {
  /** `x-deno-subhost`, whatever that is. */
  token: string;
  /** Only a live isolate is wanted, not an answer of it. */
  prewarm: boolean;
  /** What its visitor asked for, as the app sees it; `null` = `x-forwarded-host` is missing or malformed. */
  authority: Authority | null;
}

/** What a visitor's request head says to us. What it says to the app is in the head that the isolate gets. */
export interface RequestHead {
  method: string;
  authority: Authority;
  /** What the connection was secured with; `null` = it is plain. */
  certificate: CoveredNames | null;
  client: Client;
  /** `null` = no relay sent it. Else the app is told of the relay's visitor, who is `client`, too. */
  relayed: RelayFields | null;
  /** It is secured, if not here then by a proxy that is trusted to say so. */
  isSecure: boolean;
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
  /** An opening handshake (RFC 6455 §4.2.1): anything less, or with a body, is an ordinary request. */
  webSocket: { key: string; protocols: string | null } | null;
  /** As they came; `null` = not at all. */
  traceparent: string | null;
  tracestate: string | null;
  /** Index after the head. */
  end: number;
}

/** A `node:http` or `Deno.serve` app takes 100, and we add some. */
const MAX_FIELDS = 90;
/** This edge's name in `CDN-Loop` (RFC 8586 §2). */
const CDN_ID = "isola";
const CDN_LOOP_LINE = `cdn-loop: ${CDN_ID}\r\n`;
const MAX_LOOPS = 8;
/** 16 bytes in base64. */
const WEBSOCKET_KEY = /^[A-Za-z0-9+/]{22}==$/;
const WEBSOCKET_VERSION = "13";
const NO_OPTIONS: readonly string[] = [];

const SLASH = 0x2f;

/** What the fields of one head say; -1 and `null` = nothing. */
interface Said {
  /** Where the value of `Host` lies. */
  hostStart: number;
  hostEnd: number;
  contentLength: number;
  chunked: boolean;
  connection: string | null;
  upgrade: string | null;
  expect: string | null;
  traceparent: string | null;
  tracestate: string | null;
  cdnLoop: string | null;
  webSocketKey: string | null;
  webSocketVersion: string | null;
  webSocketProtocol: string | null;
  forwardedFor: string | null;
  forwardedProto: string | null;
  forwarded: string | null;
  forwardedHost: string | null;
  subhost: string | null;
  prewarm: string | null;
}

const NOTHING_SAID: Readonly<Said> = {
  hostStart: -1,
  hostEnd: -1,
  contentLength: -1,
  chunked: false,
  connection: null,
  upgrade: null,
  expect: null,
  traceparent: null,
  tracestate: null,
  cdnLoop: null,
  webSocketKey: null,
  webSocketVersion: null,
  webSocketProtocol: null,
  forwardedFor: null,
  forwardedProto: null,
  forwarded: null,
  forwardedHost: null,
  subhost: null,
  prewarm: null,
};

/**
 * Reads the request heads of one visitor's connection, strictly to RFC 9112, and writes what an isolate gets of them
 * (INTERFACE §3). The request target goes out in absolute form (RFC 9112 §3.2.2), so that `request.url` in the app is the
 * visitor's.
 */
export class RequestReader {
  readonly #peer: Client;
  readonly #certificate: CoveredNames | null;
  readonly #proxies: TrustedProxies | null;
  /** As they are believed when a relay speaks; `null` = there is none. */
  readonly #relayProxies: TrustedProxies | null;
  readonly #maxUriBytes: number;
  readonly #scanner = new FieldScanner(MAX_FIELDS, malformed);
  /** Start and end of each piece that is passed on as it is. */
  readonly #pieces: number[] = [];
  readonly #said: Said = { ...NOTHING_SAID };
  /** The last request's, which is usually the next one's, too. */
  #addressed: Addressed | null = null;

  constructor(peer: Peer, { maxUriBytes }: Pick<VisitorLimits, "maxUriBytes"> = DEFAULT_VISITOR_LIMITS) {
    const address = canonicalAddress(peer.hostname);
    this.#peer = { address, port: peer.port, proto: peer.certificate === undefined ? "http" : "https" };
    this.#certificate = peer.certificate ?? null;
    // Of most peers nothing is believed, and nothing has to be read.
    this.#proxies = peer.proxies?.fieldOf(address) ? peer.proxies : null;
    this.#relayProxies = peer.hasRelays ? peer.proxies ?? new TrustedProxies([]) : null;
    this.#maxUriBytes = maxUriBytes;
  }

  /**
   * Reads the head at `start`, whose end is in `bytes[start, end)`, and writes to `out` the isolate's but for its trace, its
   * framing and its own empty line.
   *
   * @throws {GatewayError} `BAD_REQUEST`, `URI_TOO_LONG`; `LOOP_DETECTED` past 8 passes through this edge.
   */
  read(bytes: Uint8Array, start: number, end: number, out: ByteBuffer): RequestHead {
    const line = readRequestLine(bytes, start);
    this.#readFields(bytes, line.end, end, null);
    const said = this.#said;
    const options = said.connection === null ? NO_OPTIONS : listOf(said.connection);
    if (options.some((option) => option !== "close" && option !== "keep-alive")) {
      this.#readFields(bytes, line.end, end, new Set(options));
    }
    if (line.targetEnd - line.targetStart > this.#maxUriBytes) {
      throw new GatewayError(
        "URI_TOO_LONG",
        `Cannot read a request: a target over ${this.#maxUriBytes} bytes`,
      );
    }
    const direct = this.#addressedTo(line.authority, bytes);
    const relayed = this.#relayed();
    const { client, origin, hostLine, forwarded } = relayed === null
      ? direct
      : this.#visited(relayed, direct);

    out.copy(bytes, start, line.methodEnd + 1);
    out.copy(origin);
    if (bytes[line.targetStart] !== SLASH) out.text("/");
    out.copy(bytes, line.targetStart, line.targetEnd);
    out.copy(hostLine);
    out.copyPieces(bytes, this.#pieces);
    out.copy(forwarded);
    out.text(said.cdnLoop === null ? CDN_LOOP_LINE : `cdn-loop: ${cdnLoop(said.cdnLoop)}\r\n`);

    const { method, isOld } = line;
    const { chunked } = said;
    if (chunked && (said.contentLength !== -1 || isOld)) {
      throw malformed("transfer-encoding where none may be");
    }
    const contentLength = chunked ? Infinity : Math.max(said.contentLength, 0);
    return {
      method,
      authority: direct.authority,
      certificate: this.#certificate,
      client,
      relayed,
      isSecure: client.proto === "https",
      isOld,
      keepAlive: isOld ? options.includes("keep-alive") : !options.includes("close"),
      contentLength,
      framed: chunked || said.contentLength !== -1,
      expectsContinue: !isOld && said.expect?.toLowerCase() === "100-continue",
      webSocket: method === "GET" && !isOld && contentLength === 0 ? handshakeIn(said, options) : null,
      traceparent: said.traceparent,
      tracestate: said.tracestate,
      end: this.#scanner.lineEnd,
    };
  }

  /** @param named By the `Connection` field, besides the usual ones. */
  #readFields(bytes: Uint8Array, start: number, end: number, named: ReadonlySet<string> | null): void {
    const scanner = this.#scanner;
    const pieces = this.#pieces;
    const said = Object.assign(this.#said, NOTHING_SAID);
    pieces.length = 0;
    scanner.begin(bytes, start, end);
    while (scanner.next()) {
      if (!isPassedOn(scanner.kind)) note(scanner, said);
      else if (named === null || !named.has(scanner.name())) scanner.addLineTo(pieces);
    }
  }

  #addressedTo(ofTarget: string | null, bytes: Uint8Array): Addressed {
    const { hostStart, hostEnd } = this.#said;
    if (hostStart === -1) throw malformed("no host"); // RFC 9112 §3.2: whatever the target says.
    const client = this.#client();
    const last = this.#addressed;
    if (ofTarget === null && last !== null && last.host !== null && last.client === client) {
      if (isEqual(last.host, bytes, hostStart, hostEnd)) return last;
    }
    const host = decodeLatin1(bytes, hostStart, hostEnd);
    const authority = readAuthority(ofTarget, host);
    if (authority === null) throw malformed("no valid authority");
    return this.#addressed = addressed(authority, client, ofTarget === null ? host : null);
  }

  #relayed(): RelayFields | null {
    const { subhost, prewarm, forwardedHost } = this.#said;
    if (subhost === null || this.#relayProxies === null) return null;
    return { token: subhost, prewarm: prewarm === "1", authority: readAuthority(null, forwardedHost) };
  }

  /** Whom the relay speaks of, and what they want. */
  #visited({ authority }: RelayFields, direct: Addressed): Addressed {
    const client = this.#relayProxies!.clientOf(this.#peer, this.#said, true);
    return addressed(authority ?? direct.authority, client, null);
  }

  #client(): Client {
    return this.#proxies === null ? this.#peer : this.#proxies.clientOf(this.#peer, this.#said);
  }
}

/** What only responses are asked for. */
function isPassedOn(kind: number): boolean {
  return kind === FIELD.other || kind === FIELD.date || kind === FIELD.strictTransport;
}

function note(scanner: FieldScanner, said: Said): void {
  switch (scanner.kind) {
    case FIELD.host:
      if (said.hostStart !== -1) throw malformed("two host fields");
      said.hostStart = scanner.valueStart;
      said.hostEnd = scanner.valueEnd;
      return;
    case FIELD.contentLength:
      if (said.contentLength !== -1) throw malformed("two content-length fields");
      said.contentLength = scanner.integer();
      if (said.contentLength === -1) throw malformed("malformed content-length");
      return;
    case FIELD.transferEncoding:
      if (said.chunked) throw malformed("two transfer-encoding fields");
      if (scanner.value().toLowerCase() !== "chunked") throw malformed("unknown transfer-encoding");
      said.chunked = true;
      return;
    case FIELD.connection:
      said.connection = scanner.listed(said.connection);
      return;
    case FIELD.upgrade:
      said.upgrade = scanner.listed(said.upgrade);
      return;
    case FIELD.expect:
      said.expect = scanner.listed(said.expect);
      return;
    case FIELD.traceparent: // Two of them are one with a comma, which is none.
      said.traceparent = scanner.listed(said.traceparent);
      return;
    case FIELD.tracestate:
      said.tracestate = scanner.listed(said.tracestate);
      return;
    case FIELD.cdnLoop:
      said.cdnLoop = scanner.listed(said.cdnLoop);
      return;
    case FIELD.webSocketKey:
      said.webSocketKey = scanner.listed(said.webSocketKey);
      return;
    case FIELD.webSocketVersion:
      said.webSocketVersion = scanner.listed(said.webSocketVersion);
      return;
    case FIELD.webSocketProtocol:
      said.webSocketProtocol = scanner.listed(said.webSocketProtocol);
      return;
    case FIELD.forwardedFor:
      said.forwardedFor = scanner.listed(said.forwardedFor);
      return;
    case FIELD.forwardedProto:
      said.forwardedProto = scanner.listed(said.forwardedProto);
      return;
    case FIELD.forwarded:
      said.forwarded = scanner.listed(said.forwarded);
      return;
    case FIELD.forwardedHost:
      said.forwardedHost = scanner.listed(said.forwardedHost);
      return;
    case FIELD.subhost: // Two of them are one with a comma, which is no token.
      said.subhost = scanner.listed(said.subhost);
      return;
    case FIELD.prewarm:
      said.prewarm = scanner.listed(said.prewarm);
  }
}

/** An opening handshake (RFC 6455 §4.2.1). */
function handshakeIn(said: Said, options: readonly string[]): RequestHead["webSocket"] {
  const { webSocketKey, webSocketVersion, webSocketProtocol, upgrade } = said;
  const isWhole = webSocketKey !== null && WEBSOCKET_KEY.test(webSocketKey) &&
    webSocketVersion === WEBSOCKET_VERSION && options.includes("upgrade") &&
    upgrade !== null && listOf(upgrade).includes("websocket");
  return isWhole ? { key: webSocketKey, protocols: webSocketProtocol } : null;
}

function isEqual(one: Uint8Array, other: Uint8Array, start: number, end: number): boolean {
  if (end - start !== one.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[start + i]) return false;
  return true;
}

function cdnLoop(received: string): string {
  const passes =
    received.split(",").filter((hop) => hop.split(";")[0]!.trim().toLowerCase() === CDN_ID).length;
  if (passes >= MAX_LOOPS) {
    throw new GatewayError("LOOP_DETECTED", `Cannot forward a request after ${passes} passes`);
  }
  return `${received}, ${CDN_ID}`;
}
