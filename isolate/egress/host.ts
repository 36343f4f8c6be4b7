import { isIPv4, isIPv6 } from "node:net";

/** As getaddrinfo(3) and resolvers take it: labels may begin with "_" (RFC 8552). */
const NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

/**
 * The one spelling by which a host is compared: a name in lower case without its trailing dot, or an IP address as
 * {@linkcode canonicalAddress} has it. `null` = neither.
 *
 * Only the four decimal octets of RFC 6943 §3.1.1 "strict" are an IPv4 address. "127.1" or "0x7f000001" are names, of
 * which getaddrinfo(3) makes an address; so they are judged after resolution, as every name is.
 */
export function canonicalHost(text: string): string | null {
  const address = canonicalAddress(text);
  if (address !== null) return address;
  const name = (text.endsWith(".") ? text.slice(0, -1) : text).toLowerCase();
  // "127.0.0.1." is no address to Deno's permissions and no name to glibc.
  return NAME.test(name) && !isIPv4(name) ? name : null;
}

/** An IP address in the spelling of RFC 5952, mapped ones in hexadecimal; `null` = none, or with a zone (RFC 4007 §11). */
export function canonicalAddress(text: string): string | null {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes("%")) return null;
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}
