import { setTimeout as delay } from "node:timers/promises";

const LOOKUP_TIMEOUT_MS = 5_000;
const INTERVAL_MS = 500;
/** Of a chain that delegates a challenge (RFC 8555 §8.4 follows RFC 1034 §3.6.2). */
const MAX_CNAMES = 8;
const DNS_PORT = 53;
/** Others may be in the DNS, with any byte in them (RFC 2181 §11): a command of the operator's should not get those. */
const RECORD_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/;

/** A record of type TXT. */
export interface TxtRecord {
  /** Without a final dot. */
  name: string;
  value: string;
}

/**
 * Where the record of a challenge really is: behind the CNAMEs by which the owner of a name may have delegated it.
 *
 * @param servers `address:port` of name servers; empty = those of the system.
 */
export async function recordNameOf(
  name: string,
  servers: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  for (let hops = 0; hops < MAX_CNAMES; hops++) {
    const [found = ""] = await lookup(name, "CNAME", servers[0], signal);
    const target = found.toLowerCase().replace(/\.$/, "");
    if (!RECORD_NAME.test(target)) break;
    name = target;
  }
  return name;
}

/**
 * Waits until every one of the name servers knows of a TXT record.
 *
 * @returns False if one of them did not within `timeoutMs`, which need not mean that the authority's does not.
 * @throws the signal's reason
 */
export async function untilVisible(
  { name, value }: TxtRecord,
  { servers, timeoutMs, signal }: { servers: readonly string[]; timeoutMs: number; signal: AbortSignal },
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (const server of servers.length === 0 ? [undefined] : servers) {
    while (!(await lookup(name, "TXT", server, signal)).some((strings) => strings.join("") === value)) {
      if (performance.now() > deadline) return false;
      await delay(INTERVAL_MS, undefined, { signal });
    }
  }
  return true;
}

async function lookup<T extends "CNAME" | "TXT">(
  name: string,
  type: T,
  server: string | undefined,
  signal: AbortSignal,
): Promise<T extends "CNAME" ? string[] : string[][]>;
async function lookup(
  name: string,
  type: "CNAME" | "TXT",
  server: string | undefined,
  signal: AbortSignal,
): Promise<string[] | string[][]> {
  try {
    // The dot keeps the system's search domains out.
    return await Deno.resolveDns(`${name}.`, type as "TXT", {
      nameServer: server === undefined ? undefined : nameServer(server),
      signal: AbortSignal.any([signal, AbortSignal.timeout(LOOKUP_TIMEOUT_MS)]),
    });
  } catch {
    // There is no such record, or no answer: what is looked for is not visible.
    signal.throwIfAborted();
    return [];
  }
}

function nameServer(server: string): { ipAddr: string; port: number } {
  const { hostname, port } = new URL(`dns://${server}`);
  return { ipAddr: hostname.replace(/^\[|\]$/g, ""), port: Number(port || DNS_PORT) };
}
