/** Whether a name is of this machine alone, so that no authority but a local one signs for it (RFC 6761 §6.3). */
export function isLocalName(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost");
}
