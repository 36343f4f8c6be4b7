import { until } from "../subjects/child.ts";
import { firstByteMs } from "./first_byte.ts";
import type { IsolaServer } from "../subjects/isola_server.ts";
import type { RouteUpdate } from "../scenarios/scale_report.ts";

/** How long others are watched after the change can be seen: what it caused may still go on. */
const AFTERMATH_MS = 200;

/** What is changed, and who is watched meanwhile. */
export interface RouteChange {
  deploymentId: string;
  /** Becomes the deployment's. */
  hostname: string;
  /** Of a deployment with an isolate. */
  liveHost: string;
}

/**
 * Attaches a domain and measures the time until it is served, and how long visitors of another deployment and callers of the
 * control API, one after the other, had to wait for their answers at most.
 */
export async function measureUpdate(
  { client, port }: IsolaServer,
  { deploymentId, hostname, liveHost }: RouteChange,
): Promise<RouteUpdate> {
  const watching = new AbortController();
  const visitors = longestMs(() => firstByteMs(port, liveHost), watching.signal);
  const callers = longestMs(() => client.health(), watching.signal);
  const startedAt = performance.now();
  const [visibleMs] = await Promise.all([
    until(`"${hostname}"`, () => firstByteMs(port, hostname)).then(() => performance.now() - startedAt),
    client.attachDomain(deploymentId, hostname),
  ]);
  await new Promise((resolve) => setTimeout(resolve, AFTERMATH_MS));
  watching.abort();
  return { visibleMs, visitorsMs: await visitors, callersMs: await callers };
}

/** Repeats a request until the signal, and returns how long the longest took. */
async function longestMs(request: () => Promise<unknown>, signal: AbortSignal): Promise<number> {
  let longest = 0;
  while (!signal.aborted) {
    const startedAt = performance.now();
    await request();
    longest = Math.max(longest, performance.now() - startedAt);
  }
  return longest;
}
