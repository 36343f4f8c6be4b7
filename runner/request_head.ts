import type { Authority } from "./authority.ts";
import { GatewayError } from "./errors.ts";
import { isConnectionOption, namedByConnection } from "./hop_by_hop.ts";
import { isTraceparent, newTraceparent } from "./trace_context.ts";

/** The other end of the visitor's connection. */
export interface Peer {
  hostname: string;
  port: number;
}

/** This edge's name in `CDN-Loop` (RFC 8586 §2). */
const CDN_ID = "isola";
const MAX_LOOPS = 8;
const PROTO = "http";

/** Headers that a visitor cannot set, because they are rewritten below or belong to its own connection. */
const REPLACED = new Set([
  "cdn-loop",
  "content-length",
  "expect",
  "forwarded",
  "host",
  "sec-websocket-extensions",
  "sec-websocket-key",
  "sec-websocket-protocol",
  "sec-websocket-version",
  "traceparent",
  "tracestate",
  "x-real-ip",
]);
const INTERNAL = /^x-(?:forwarded|deno|isola)-/;

/**
 * The head that an isolate gets for a visitor's request (INTERFACE §3), as a string of Latin-1 characters.
 * The request target is in absolute form (RFC 9112 §3.2.2), so that `request.url` in the app is the visitor's.
 *
 * @param hopLines The framing of the body, or the handshake of a WebSocket: header lines of the connection to the isolate.
 * @throws {GatewayError} `LOOP_DETECTED` past 8 passes through this edge.
 */
export function requestHead(
  method: string,
  authority: Authority,
  headers: Headers,
  peer: Peer,
  hopLines = "",
): string {
  const named = namedByConnection(headers.get("connection"));
  const traceparent = headers.get("traceparent");
  const traced = traceparent !== null && isTraceparent(traceparent);
  const host = authority.host;
  const address = peerAddress(peer);
  const node = address.includes(":") ? `[${address}]` : address;
  let head = `${method} ${PROTO}://${host}${requestTarget(authority.target)} HTTP/1.1\r\nhost: ${host}\r\n`;
  headers.forEach((value, name) => {
    if (isConnectionOption(name) || REPLACED.has(name) || named?.has(name)) return;
    if (name.charCodeAt(0) === 0x78 && INTERNAL.test(name)) return; // "x"
    head += `${name}: ${value}\r\n`;
  });
  if (traced && headers.has("tracestate")) head += `tracestate: ${headers.get("tracestate")}\r\n`;
  return `${head}x-forwarded-for: ${address}\r\nx-forwarded-proto: ${PROTO}\r\nx-forwarded-host: ${host}\r\n` +
    `forwarded: for="${node}:${peer.port}";host="${host}";proto=${PROTO}\r\n` +
    `cdn-loop: ${cdnLoop(headers.get("cdn-loop"))}\r\ntraceparent: ${
      traced ? traceparent : newTraceparent()
    }\r\n` +
    `${hopLines}\r\n`;
}

/** A dual-stack listener shows IPv4 peers as `::ffff:1.2.3.4` (RFC 4291 §2.5.5.2). */
function peerAddress({ hostname }: Peer): string {
  return hostname.startsWith("::ffff:") && hostname.includes(".") ? hostname.slice(7) : hostname;
}

/** `Deno.serve` decodes UTF-8 in a target; header bytes are Latin-1. So a target that is not ASCII is encoded again. */
function requestTarget(target: string): string {
  // deno-lint-ignore no-control-regex -- the class is "not ASCII"
  if (!/[^\x00-\x7f]/.test(target)) return target;
  return String.fromCharCode(...new TextEncoder().encode(target));
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
