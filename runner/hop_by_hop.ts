/** Headers of one connection, not of the message (RFC 9110 §7.6.1), besides the `proxy-` ones. */
const CONNECTION_OPTIONS = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Whether the header of this lower-case name ends at the next hop. */
export function isConnectionOption(name: string): boolean {
  return CONNECTION_OPTIONS.has(name) || name.startsWith("proxy-");
}

/** The lower-case names that a `Connection` header makes hop-by-hop; `null` = none besides the usual. */
export function namedByConnection(connection: string | null): ReadonlySet<string> | null {
  if (connection === null || connection === "keep-alive" || connection === "close") return null;
  return new Set(connection.toLowerCase().split(",").map((name) => name.trim()));
}
