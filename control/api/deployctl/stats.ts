import { setTimeout as delay } from "node:timers/promises";
import type { ApiDeps } from "../deps.ts";
import { ApiError } from "../errors.ts";
import type { IsolateInfo, Project } from "../../model.ts";
import type { DeploymentUsage } from "../../usage/mod.ts";

/** The client forgets an isolate of which it hears nothing for 30 s. */
const SAMPLE_INTERVAL_MS = 5000;
/** A server that ends does not wait for those who watch. */
const DRAIN_CHECK_INTERVAL_MS = 250;
/** Rates are of the last minute, the most memory of the last five. */
const RATE_SAMPLES = 12;
const MAX_SAMPLES = 60;
/** Clients that watch at once; more are refused. */
const MAX_WATCHERS = 100;

/** `ProjectStats` of the client. There is no KV store and no queue to count in. */
export interface StatsJson {
  id: string;
  region: string;
  projectId: string;
  deploymentId: string;
  /** In seconds. */
  uptime: number;
  requestsPerMinute: number;
  /** In ms. */
  cpuTimePerSecond: number;
  /** In ms. */
  cpuTimePerRequest: number;
  /** In bytes. */
  maxRss5Minutes: number;
  ingressBytesPerMinute: number;
  egressBytesPerMinute: number;
  kvReadUnitsPerMinute: 0;
  kvWriteUnitsPerMinute: 0;
  enqueuePerMinute: 0;
  dequeuePerMinute: 0;
}

/** What an isolate had used by then, in all. */
export interface Sample {
  /** Monotonic. */
  atMs: number;
  requests: number;
  cpuMs: number;
  ingressBytes: number;
  egressBytes: number;
  memoryBytes: number;
}

let watchers = 0;

/**
 * What the live isolates of a project use, every five seconds until `signal` aborts.
 *
 * @throws {ApiError} `overloaded`: too many watch, or (later) this server answers nobody any more. The client waits and
 *   asks anew after an error; after a proper end it would ask without a pause.
 */
export function projectStats(
  deps: ApiDeps,
  project: Project,
  signal: AbortSignal,
): AsyncGenerator<StatsJson, void, void> {
  if (watchers >= MAX_WATCHERS) {
    throw new ApiError("overloaded", `Cannot watch "${project.name}": ${MAX_WATCHERS} clients watch already`);
  }
  return watch(deps, project, signal);
}

async function* watch(
  deps: ApiDeps,
  { id: projectId }: Project,
  signal: AbortSignal,
): AsyncGenerator<StatsJson, void, void> {
  const samples = new Map<string, Sample[]>();
  watchers++;
  try {
    while (!signal.aborted) {
      const live = await isolatesOf(deps, projectId);
      for (const key of samples.keys()) if (!live.has(key)) samples.delete(key);
      for (const [key, { isolate, sample }] of live) {
        const kept = [...samples.get(key) ?? [], sample].slice(-MAX_SAMPLES);
        samples.set(key, kept);
        const { deploymentId, startedAt } = isolate;
        const uptime = (Date.now() - Date.parse(startedAt)) / 1000;
        yield { id: key, region: deps.region, projectId, deploymentId, uptime, ...statsOf(kept) };
      }
      await untilNextSample(deps, signal);
    }
  } finally {
    watchers--;
  }
}

async function untilNextSample(deps: ApiDeps, signal: AbortSignal): Promise<void> {
  for (
    let waitedMs = 0;
    waitedMs < SAMPLE_INTERVAL_MS && !signal.aborted;
    waitedMs += DRAIN_CHECK_INTERVAL_MS
  ) {
    if (deps.health().status === "draining") throw new ApiError("overloaded", "The server ends");
    await delay(DRAIN_CHECK_INTERVAL_MS, undefined, { signal }).catch(() => {});
  }
}

async function isolatesOf(
  deps: ApiDeps,
  projectId: string,
): Promise<Map<string, { isolate: IsolateInfo; sample: Sample }>> {
  const isOwn = new Set(deps.store.deployments.ids(projectId));
  const traffic = new Map<string, DeploymentUsage>();
  for (const total of deps.usage.totals()) {
    if (isOwn.has(total.deploymentId)) traffic.set(total.deploymentId, total);
  }
  const found = new Map<string, { isolate: IsolateInfo; sample: Sample }>();
  for (const isolate of await deps.isolates()) {
    const { deploymentId, pid, requests, cpuMs, memoryBytes } = isolate;
    if (!isOwn.has(deploymentId)) continue;
    const { ingressBytes = 0, egressBytes = 0 } = traffic.get(deploymentId) ?? {};
    const sample = { atMs: performance.now(), requests, cpuMs, memoryBytes, ingressBytes, egressBytes };
    found.set(`${deploymentId}-${pid}`, { isolate, sample });
  }
  return found;
}

/** The rates of one isolate, from its samples, the newest last. One sample is no rate yet. */
export function statsOf(
  samples: readonly Sample[],
): Omit<StatsJson, "id" | "region" | "projectId" | "deploymentId" | "uptime"> {
  const now = samples.at(-1)!;
  const before = samples.at(-1 - RATE_SAMPLES) ?? samples[0]!;
  const seconds = Math.max((now.atMs - before.atMs) / 1000, SAMPLE_INTERVAL_MS / 1000);
  const requests = now.requests - before.requests;
  const cpuMs = now.cpuMs - before.cpuMs;
  return {
    requestsPerMinute: requests * 60 / seconds,
    cpuTimePerSecond: cpuMs / seconds,
    cpuTimePerRequest: requests === 0 ? 0 : cpuMs / requests,
    maxRss5Minutes: Math.max(...samples.map(({ memoryBytes }) => memoryBytes)),
    ingressBytesPerMinute: (now.ingressBytes - before.ingressBytes) * 60 / seconds,
    egressBytesPerMinute: (now.egressBytes - before.egressBytes) * 60 / seconds,
    kvReadUnitsPerMinute: 0,
    kvWriteUnitsPerMinute: 0,
    enqueuePerMinute: 0,
    dequeuePerMinute: 0,
  };
}
