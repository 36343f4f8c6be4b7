/** `fetch`, `EventSource`, `WebSocket` and `Deno.createHttpClient` by way of the egress proxy. */
import { netAccessError } from "./egress_client.ts";
import { replaceGlobal } from "./replace_global.ts";
import { formatTarget, type Target } from "./socks5.ts";

/** How the runtime's HTTP client says that the proxy refused a target (crate tokio-socks), after the URL. */
const REFUSED = /\burl \(([^)]*)\): .*: Connection not allowed by ruleset$/s;
const DEFAULT_PORTS: Record<string, number> = { "https:": 443, "wss:": 443 };

/** Routes them from now on. */
export function routeFetch(proxy: Target): void {
  const url = `socks5h://${formatTarget(proxy)}`;
  primeHttpClient(url);
  routeHttpClients(url);
  explainRefusals();
}

/**
 * One HTTP client serves the three of them. It is made within the first call that needs it, here a fetch of nothing, and
 * learns its proxy from the environment (ext/fetch/lib.rs, proxy.rs). In a nested Worker that may not touch the
 * environment the three have no way out.
 */
function primeHttpClient(url: string) {
  if (Deno.permissions.querySync({ name: "env", variable: "ALL_PROXY" }).state !== "granted") return;
  Deno.env.set("ALL_PROXY", url);
  fetch("isola:").catch(() => {});
  Deno.env.delete("ALL_PROXY");
}

function routeHttpClients(url: string) {
  const { createHttpClient } = Deno;
  Deno.createHttpClient = (options = {}) => {
    const { proxy } = options;
    // A program's own unix sockets are within its sandbox.
    if (proxy?.transport === "unix") return createHttpClient(options);
    if (proxy !== undefined) throw netAccessError(proxyName(proxy));
    return createHttpClient({ ...options, proxy: { transport: "socks5", url } });
  };
}

/** There is no way to a program's own proxy through ours. */
function proxyName(
  { url, hostname = "", port = 0 }: { url?: string; hostname?: string; port?: number },
): string {
  return url === undefined ? formatTarget({ hostname, port }) : new URL(url).host;
}

/** To a program a refusal is a missing permission, as in the runtime, and not a failure of the network. */
function explainRefusals() {
  const { fetch } = globalThis;
  const explained = (...args: Parameters<typeof fetch>) =>
    fetch(...args).catch((error) => {
      const [, url] = REFUSED.exec(error?.cause?.message) ?? [];
      if (url === undefined) throw error;
      const { protocol, hostname, port } = new URL(url);
      throw netAccessError(`${hostname}:${port || DEFAULT_PORTS[protocol] || 80}`, { cause: error });
    });
  replaceGlobal("fetch", explained, fetch);
}
