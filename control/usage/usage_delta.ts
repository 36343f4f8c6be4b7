import { SLOT_MS } from "./slot.ts";

/** What one deployment used since the last report. */
export interface UsageDelta {
  requests: number;
  cpuMs: number;
  /** Of all its isolates together. */
  uptimeMs: number;
  ingressBytes: number;
  egressBytes: number;
  /** Resident now. Not added up: the greatest of a period is kept. */
  memoryBytes: number;
}

/** Nothing yet. */
export const NO_USAGE: Readonly<UsageDelta> = {
  requests: 0,
  cpuMs: 0,
  uptimeMs: 0,
  ingressBytes: 0,
  egressBytes: 0,
  memoryBytes: 0,
};

const MAX_CPUS = 1024;
/** More than 100 Gbit/s carry in a slot. */
const MAX_BYTES = 2 ** 44;

/** The most that one report can truly hold: a slot's length on the largest machine. */
const MAX: Readonly<UsageDelta> = {
  requests: 1e9,
  cpuMs: SLOT_MS * MAX_CPUS,
  uptimeMs: SLOT_MS,
  ingressBytes: MAX_BYTES,
  egressBytes: MAX_BYTES,
  memoryBytes: MAX_BYTES,
};

const MEASURES = Object.keys(MAX) as (keyof UsageDelta)[];

/** Why a report cannot be true, or `undefined`. */
export function usageProblem(delta: UsageDelta): string | undefined {
  for (const measure of MEASURES) {
    const value = delta[measure];
    // Written so that NaN is refused.
    if (!(value >= 0 && value <= MAX[measure])) return `${measure} is ${value}, not 0 to ${MAX[measure]}`;
  }
}

/** Adds `delta` to `sum` in place. */
export function addUsage(sum: UsageDelta, delta: UsageDelta): void {
  sum.requests += delta.requests;
  sum.cpuMs += delta.cpuMs;
  sum.uptimeMs += delta.uptimeMs;
  sum.ingressBytes += delta.ingressBytes;
  sum.egressBytes += delta.egressBytes;
  sum.memoryBytes = Math.max(sum.memoryBytes, delta.memoryBytes);
}
