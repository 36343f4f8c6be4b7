/** The messages of SOCKS5 (RFC 1928) that a client sends and reads. */

/** Somewhere to connect to. */
export interface Target {
  /** A name or an address. */
  hostname: string;
  port: number;
}

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const CONNECT = 1;
const ATYP_IPV4 = 1;
const ATYP_DOMAIN = 3;
const ATYP_IPV6 = 4;
const MAX_DOMAIN_BYTES = 255;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
/** What an address without a zone is written with. */
const IPV6_CHARACTERS = /^[\da-f:.]+$/i;

/** The first message (RFC 1928 §3). */
export const GREETING = Uint8Array.of(VERSION, 1, NO_AUTHENTICATION);
/** The answer to it when no authentication is asked for. */
export const ACCEPTED = Uint8Array.of(VERSION, NO_AUTHENTICATION);
/** VER, REP, RSV and ATYP of a reply. */
export const REPLY_START_BYTES = 4;
/** What a reply may say (RFC 1928 §6). */
export const Reply = {
  succeeded: 0,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  refused: 5,
  ttlExpired: 6,
} as const;

const encoder = new TextEncoder();

/**
 * The request to connect (RFC 1928 §4).
 *
 * @throws {RangeError} when the name is empty or over 255 bytes
 */
export function encodeRequest({ hostname, port }: Target): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(VERSION, CONNECT, 0, ...encodeHost(hostname), port >> 8, port & 0xff);
}

function encodeHost(hostname: string): number[] {
  if (IPV4.test(hostname)) return [ATYP_IPV4, ...hostname.split(".").map(Number)];
  // An address with a zone belongs to a network of the sandbox's own: sent as a name, there is no such.
  if (IPV6_CHARACTERS.test(hostname) && URL.canParse(`http://[${hostname}]`)) {
    return [ATYP_IPV6, ...encodeIpv6(hostname)];
  }
  const name = encoder.encode(hostname);
  if (name.length === 0 || name.length > MAX_DOMAIN_BYTES) {
    throw new RangeError(`Cannot connect to "${hostname}": a name has 1 to ${MAX_DOMAIN_BYTES} bytes`);
  }
  return [ATYP_DOMAIN, name.length, ...name];
}

function encodeIpv6(address: string): number[] {
  const [head = "", tail = ""] = canonicalIpv6(address).split("::");
  const before = head.split(":").filter(Boolean);
  const after = tail.split(":").filter(Boolean);
  const groups = [...before, ...Array<string>(8 - before.length - after.length).fill("0"), ...after];
  return groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
}

/** RFC 5952. */
function canonicalIpv6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** How many bytes follow the start of a reply: an address and a port. */
export function addressBytes(replyStart: Uint8Array): number {
  return (replyStart[3] === ATYP_IPV6 ? 16 : 4) + 2;
}

/** Those bytes. */
export function decodeAddress(bytes: Uint8Array): Target {
  const end = bytes.length - 2;
  const port = bytes[end]! << 8 | bytes[end + 1]!;
  if (end === 4) return { hostname: bytes.subarray(0, end).join("."), port };
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8 | bytes[2 * i + 1]!).toString(16));
  return { hostname: canonicalIpv6(groups.join(":")), port };
}

/** "host:port", an IPv6 address in brackets. */
export function formatTarget({ hostname, port }: Target): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
