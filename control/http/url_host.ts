/** A hostname or an address as it stands in a URL: an IPv6 address is in brackets (RFC 3986 §3.2.2). */
export function urlHost(hostname: string): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}
