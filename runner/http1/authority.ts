import { isIPv6 } from "node:net";

/** Where a request wants to go. */
export interface Authority {
  /** Lower case, without port and trailing dot: the routing key. */
  hostname: string;
  /** As the visitor sent it, port included. */
  host: string;
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
 * The authority of a request: that of an absolute-form target or an `:authority` if there is one, else the Host. Where there are
 * both they must agree.
 *
 * @returns `null` = missing, malformed or contradictory: a 400 by RFC 9112 §3.2.
 */
export function readAuthority(ofTarget: string | null, hostField: string | null): Authority | null {
  const host = ofTarget ?? hostField;
  const hostname = host === null ? null : canonicalHostname(host);
  if (host === null || hostname === null) return null;
  const contradicted = ofTarget !== null && hostField !== null && hostField !== ofTarget &&
    canonicalHostname(hostField) !== hostname;
  return contradicted ? null : { hostname, host };
}
