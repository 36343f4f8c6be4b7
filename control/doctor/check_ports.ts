import type { Address, Config } from "../config/config.ts";
import { directClient } from "../http/direct_client.ts";
import { dataDirOwner } from "../store/mod.ts";
import { urlHost } from "../http/url_host.ts";
import type { Finding } from "./finding.ts";

const TIMEOUT_MS = 2000;

/** Whether the server can listen where it is told to, or is the one that does. */
export async function checkPorts(config: Config): Promise<Finding[]> {
  const { controlAddr, httpAddr, httpsAddr, dataDir } = config;
  const isRunning = dataDirOwner(dataDir) !== null && await answersHealth(controlAddr);
  const addresses: [check: string, address: Address][] = [["control address", controlAddr], [
    "HTTP address",
    httpAddr,
  ]];
  if (httpsAddr !== undefined) addresses.push(["HTTPS address", httpsAddr]);
  return addresses.map(([check, address]) => checkPort(check, address, isRunning));
}

function checkPort(check: string, { hostname, port }: Address, isRunning: boolean): Finding {
  const address = `${urlHost(hostname)}:${port}`;
  try {
    Deno.listen({ hostname, port }).close();
    return { check, status: "ok", message: `${address} is free${isRunning ? ", though a server runs" : ""}` };
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse && isRunning) {
      return { check, status: "ok", message: `${address} is this server's` };
    }
    const advice = error instanceof Deno.errors.AddrInUse
      ? `End what listens there ("ss -ltnp sport = :${port}" tells what it is), or choose another address`
      : error instanceof Deno.errors.PermissionDenied
      ? "Ports below 1024 are for root: run it as root, or give its Deno the capability CAP_NET_BIND_SERVICE"
      : "Choose an address of this machine, such as 0.0.0.0";
    return { check, status: "problem", message: `${address}: ${(error as Error).message}`, advice };
  }
}

/** Whether an Isola server answers there. */
async function answersHealth({ hostname, port }: Address): Promise<boolean> {
  const host = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname;
  using client = directClient({ hostname: host, port });
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(`http://${urlHost(host)}:${port}/healthz`, { client, signal });
    const { version } = await response.json();
    return typeof version === "string";
  } catch {
    return false;
  }
}
