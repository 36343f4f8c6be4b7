import type { Address } from "../config/values.ts";
import { urlHost } from "./url_host.ts";

/**
 * Has `fetch` connect to this address, whatever its URL names. No proxy of the environment is asked: otherwise it is, also
 * for loopback addresses.
 */
export function directClient({ hostname, port }: Address): Deno.HttpClient {
  // An IPv6 address without brackets is taken for a name.
  return Deno.createHttpClient({ proxy: { transport: "tcp", hostname: urlHost(hostname), port } });
}
