import { isIPv6 } from "node:net";

/** Where a request wants to go. */
export interface Authority {
  /** Lower case, without port and trailing dot: the routing key. */
  hostname: string;
  /** As the visitor sent it, port included. */
  host: string;
  /** Path and query, byte for byte as sent; never empty. */
  target: string;
}

const MAX_HOSTNAME_LENGTH = 253;
/** A hostname, its dot and its port. */
const MAX_AUTHORITY_LENGTH = MAX_HOSTNAME_LENGTH + ".:65535".length;
const MAX_PORT = 65535;
const LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const NAME = new RegExp(`^(${LABEL}(?:\\.${LABEL})*)\\.?(?::(\\d{1,5}))?$`, "i");
const IPV6 = /^\[([0-9a-f:.]+)\](?::(\d{1,5}))?$/i;

/**
 * The name in an authority (RFC 9110 §7.2) by a grammar stricter than the URL parser's, which would turn `a%2etest`,
 * `ａ.test` or `0x7f.1` into other names. IP literals are valid; no route has one.
 *
 * @returns `null` for everything that is not `name`, `name.`, `name:port` or an IP literal.
 */
export function canonicalHostname(authority: string): string | null {
  if (authority.length > MAX_AUTHORITY_LENGTH) return null;
  const name = NAME.exec(authority);
  const match = name ?? IPV6.exec(authority);
  const hostname = match?.[1];
  if (!match || !hostname || Number(match[2] ?? 0) > MAX_PORT) return null;
  if (name ? hostname.length > MAX_HOSTNAME_LENGTH : !isIPv6(hostname)) return null;
  return hostname.toLowerCase();
}

/**
 * Reads the authority of a request from the raw `url` and `Host`, which must agree.
 *
 * `Deno.serve` validates neither: `url` is the scheme, then the authority of an absolute-form target or `:authority`, else
 * the Host header, else `fallback`, then the target. So `Host: a.test/x` moves into the path, and the two can differ.
 *
 * @param hostHeader `null` on HTTP/2 that sends `:authority` only, and on HTTP/1 without Host.
 * @param fallback What the listener puts where there is no authority at all ({@linkcode fallbackAuthority}).
 * @returns `null` = missing, malformed or contradictory: a 400 by RFC 9112 §3.2.
 */
export function readAuthority(url: string, hostHeader: string | null, fallback: string): Authority | null {
  const start = url.startsWith("http://") ? 7 : url.startsWith("https://") ? 8 : 0;
  if (start === 0) return null;
  let end = start;
  while (end < url.length) {
    const char = url.charCodeAt(end);
    if (char === 0x2f || char === 0x3f || char === 0x23) break; // "/", "?", "#"
    end++;
  }
  const host = url.slice(start, end);
  if (hostHeader === null && host === fallback) return null;
  const hostname = canonicalHostname(host);
  if (hostname === null) return null;
  if (hostHeader !== null && hostHeader !== host && canonicalHostname(hostHeader) !== hostname) return null;
  const target = url.slice(end);
  return { hostname, host, target: target.startsWith("/") ? target : `/${target}` };
}

/** The authority that `Deno.serve` on `addr` gives a request without one (`ext/http`, `req_host_from_addr`). */
export function fallbackAuthority(addr: Deno.NetAddr): string {
  const local = addr.hostname === "0.0.0.0" || addr.hostname === "::" || addr.hostname === "::1" ||
    addr.hostname.startsWith("127.");
  const literal = addr.hostname.includes(":") ? `[${addr.hostname}]` : addr.hostname;
  const hostname = local ? "localhost" : literal;
  return addr.port === 80 ? hostname : `${hostname}:${addr.port}`;
}
