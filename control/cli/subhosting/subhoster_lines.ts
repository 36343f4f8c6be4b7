import type { ApiRefusedToken, ApiSubhoster } from "../api_shapes.ts";
import { formatBytes, formatElapsed, formatSince } from "../quantity.ts";
import { printable } from "../terminal.ts";

const MAX_ORIGINS_SHOWN = 3;

/** Titles of {@linkcode subhosterRow}. */
export const SUBHOSTER_HEADER = [
  "ID",
  "REGION",
  "ISOLATES",
  "REQUESTS",
  "CPU",
  "OUT",
  "KEPT",
  "ON DISK",
  "ORIGIN",
  "EVENTS WAITING",
  "REFUSED",
];

/** A subhoster in a line. */
export function subhosterRow(subhoster: ApiSubhoster): (string | number)[] {
  const { id, region, isolates, usage, cached, origins, events, refusedTokens } = subhoster;
  return [
    id,
    region,
    isolates,
    usage.requests,
    formatElapsed(usage.cpuMs),
    formatBytes(usage.egressBytes),
    cached.deployments,
    formatBytes(cached.bytes),
    originCell(origins),
    events.pending,
    refusedTokens.reduce((sum, { count }) => sum + count, 0),
  ];
}

function originCell(origins: ApiSubhoster["origins"]): string {
  if (origins.some(({ circuit }) => circuit !== "closed")) return "away";
  const failures = origins.reduce((sum, origin) => sum + origin.failures, 0);
  if (failures > 0) return `${failures} failed`;
  return origins.length === 0 ? "-" : "ok";
}

/** What has gone wrong with a subhoster, a sentence each. */
export function subhosterTroubles({ id, origins, events, refusedTokens }: ApiSubhoster): string[] {
  return [
    ...originTroubles(origins).map((trouble) => `${id}: ${trouble}`),
    ...(events.lastError === null ? [] : [`${id}: events were not taken, the last ${ago(events.lastError)}`]),
    ...(events.dropped === 0 ? [] : [`${id}: ${events.dropped} events were dropped`]),
    ...refusedTokens.map((refused) => `${id}: ${refusal(refused)}`),
  ].map(printable);
}

/** A subhoster may have one for each of its customers: those that failed last. */
function originTroubles(origins: ApiSubhoster["origins"]): string[] {
  const failed = origins.flatMap(({ lastError, ...origin }) =>
    lastError === null ? [] : { ...origin, lastError }
  )
    .toSorted((a, b) => b.lastError.time.localeCompare(a.lastError.time));
  const shown = failed.slice(0, MAX_ORIGINS_SHOWN).map(({ rpcRoot, failures, calls, lastError }) =>
    `${failures} of ${calls} calls to ${rpcRoot} failed, the last ${ago(lastError)}`
  );
  const left = failed.length - shown.length;
  return left === 0 ? shown : [...shown, `calls to ${left} more origins failed: see --json`];
}

/** Of tokens that are nobody's who is known. */
export function strangerTroubles(refusedTokens: readonly ApiRefusedToken[]): string[] {
  return refusedTokens.filter(({ subhosterId }) => subhosterId === null).map((refused) =>
    `no subhoster's: ${refusal(refused)}`
  );
}

function refusal({ count, reason, lastAt }: Omit<ApiRefusedToken, "subhosterId">): string {
  const tokens = count === 1 ? "1 token was" : `${count} tokens were`;
  return `${tokens} refused (${reason}), the last ${formatSince(lastAt)} ago`;
}

function ago({ message, time }: { message: string; time: string }): string {
  return `${formatSince(time)} ago: ${message}`;
}
