/** The wildcard above a hostname, which stands for its first label, whole (RFC 9525 §6.3); "" = it has but one label. */
export function wildcardOf(hostname: string): string {
  const dot = hostname.indexOf(".");
  return dot === -1 ? "" : `*${hostname.slice(dot)}`;
}
