import { routeDeno } from "./outbound_deno.ts";
import { routeFetch } from "./outbound_fetch.ts";
import { routeNodeDns } from "./outbound_dns.ts";
import { routeNodeSockets } from "./outbound_node.ts";
import { PlaceholderNames } from "./placeholder_names.ts";
import type { Target } from "./socks5.ts";

/**
 * Sends whatever this Worker's program connects to through the SOCKS5 proxy. It only makes the runtime's clients work:
 * there is no other way out, and what may go out is decided by the proxy. To be called before anything is fetched.
 */
export function routeOutbound(proxy: Target): void {
  const names = new PlaceholderNames();
  routeDeno(proxy);
  routeNodeDns(proxy, names);
  routeNodeSockets(proxy, names);
  routeFetch(proxy);
}
