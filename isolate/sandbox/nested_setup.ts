import protocol from "../protocol.ts" with { type: "text" };
import doors from "./doors.ts" with { type: "text" };
import egressClient from "./egress_client.ts" with { type: "text" };
import nestedWorkers from "./nested_workers.ts" with { type: "text" };
import nodeBinding from "./node_binding.ts" with { type: "text" };
import outbound from "./outbound.ts" with { type: "text" };
import outboundDeno from "./outbound_deno.ts" with { type: "text" };
import outboundDns from "./outbound_dns.ts" with { type: "text" };
import outboundFetch from "./outbound_fetch.ts" with { type: "text" };
import outboundNode from "./outbound_node.ts" with { type: "text" };
import placeholderNames from "./placeholder_names.ts" with { type: "text" };
import socks5 from "./socks5.ts" with { type: "text" };
import splice from "./splice.ts" with { type: "text" };
import type { Target } from "./socks5.ts";

/** Each after what it imports. */
const MODULES: [name: string, code: string][] = [
  ["protocol", protocol],
  ["socks5", socks5],
  ["egress_client", egressClient],
  ["node_binding", nodeBinding],
  ["placeholder_names", placeholderNames],
  ["splice", splice],
  ["outbound_deno", outboundDeno],
  ["outbound_dns", outboundDns],
  ["outbound_fetch", outboundFetch],
  ["outbound_node", outboundNode],
  ["outbound", outbound],
  ["doors", doors],
  ["nested_workers", nestedWorkers],
];

/**
 * Publishes a module that does in a nested Worker what the guest did in its own: connections by way of the proxy, if there
 * is one, and doors closed. A realm of its own has none of it, and a program's Workers may not read our files.
 *
 * @returns `blob:` URL of the module; it lives as long as this Worker
 */
export function publishNestedSetup(proxy: Target | undefined): string {
  const urls = new Map<string, string>();
  for (const [name, code] of MODULES) urls.set(name, publish(link(code, urls)));
  return publish(link(
    `import { routeOutbound } from "./outbound.js";
    import { closeDoors } from "./doors.js";
    import { setUpWorkers } from "./nested_workers.js";
    const proxy = ${JSON.stringify(proxy)};
    if (proxy) routeOutbound(proxy);
    closeDoors();
    setUpWorkers(import.meta.url);`,
    urls,
  ));
}

function link(code: string, urls: Map<string, string>): string {
  return code.replaceAll(/from "\.\/([a-z0-9_]+)\.js"/g, (_, name) => `from "${urls.get(name)}"`);
}

function publish(code: string): string {
  return URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
}
