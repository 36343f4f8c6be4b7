import type { Authority } from "./authority.ts";
import { encodeLatin1 } from "./octets.ts";
import type { Client } from "../front/trusted_proxies.ts";

/** An authority and a client, and what an isolate is told about a request of one for the other. */
export interface Addressed {
  authority: Authority;
  client: Client;
  /** As it came in `Host`; `null` = it was not asked. */
  host: Uint8Array | null;
  /** From the target's scheme to its path. */
  origin: Uint8Array;
  /** From after the target to after the `host` field. */
  hostLine: Uint8Array;
  /** Who asks. */
  forwarded: Uint8Array;
}

/**
 * Writes them (INTERFACE §3).
 *
 * @param host The `Host` field; `null` = the authority is not from there.
 */
export function addressed(authority: Authority, client: Client, host: string | null): Addressed {
  const { address, port, proto } = client;
  const node = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  return {
    authority,
    client,
    host: host === null ? null : encodeLatin1(host),
    origin: encodeLatin1(`${proto}://${authority.host}`),
    hostLine: encodeLatin1(` HTTP/1.1\r\nhost: ${authority.host}\r\n`),
    forwarded: encodeLatin1(
      `x-forwarded-for: ${address}\r\nx-forwarded-proto: ${proto}\r\n` +
        `x-forwarded-host: ${authority.host}\r\n` +
        `forwarded: for="${node}";host="${authority.host}";proto=${proto}\r\n`,
    ),
  };
}
