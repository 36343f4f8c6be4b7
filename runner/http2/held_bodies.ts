import type { Http2Connection } from "./http2_connection.ts";

/** What visitors have sent and apps have not read, on all connections. */
const MAX_HELD_BYTES = 256 * 1024 * 1024;

/**
 * Ends the connections for which most is held, until the others together are within the bound. A visitor with one large upload
 * has a fraction of what one with many has that nobody reads.
 */
export function boundHeldBodies(
  connections: Iterable<Pick<Http2Connection, "heldBytes" | "close">>,
  maxBytes = MAX_HELD_BYTES,
): void {
  let heldBytes = 0;
  const holders = [...connections].filter((connection) => connection.heldBytes > 0);
  for (const connection of holders) heldBytes += connection.heldBytes;
  if (heldBytes <= maxBytes) return;
  holders.sort((one, other) => other.heldBytes - one.heldBytes);
  for (const connection of holders) {
    if (heldBytes <= maxBytes) return;
    heldBytes -= connection.heldBytes;
    connection.close();
  }
}
