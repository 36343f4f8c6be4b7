import type { SandboxTraffic } from "../../isolate/mod.ts";
import type { IsolateUsage } from "../../runner/mod.ts";
import type { UsageDelta } from "../usage/mod.ts";

/** What lessees counted. */
export type LeaseUsage = Omit<IsolateUsage, "isolateId">;

const NOTHING: LeaseUsage = { requests: 0, inFlight: 0, lastActiveAt: 0, ingressBytes: 0, egressBytes: 0 };

/**
 * The books of one isolate: what its lessees counted, in leases that are over and in those that are not, and what was
 * measured of its process.
 *
 * **Invariant:** every total only grows, so that nothing is told twice, and what is taken adds up to the last total.
 */
export class UsageMeter {
  #over = NOTHING;
  /** By lessee, as it said last. */
  readonly #leases = new Map<string, LeaseUsage>();
  #cpuMs = 0;
  #memoryBytes = 0;
  #peakBytes = 0;
  #traffic: SandboxTraffic = { ingressBytes: 0, egressBytes: 0 };
  #taken: Omit<UsageDelta, "memoryBytes">;
  readonly #startedAtMs: number;

  /** Starts to count, at a time in ms. */
  constructor(now: number) {
    this.#startedAtMs = now;
    this.#taken = this.#totals(now);
  }

  /** CPU time since the start, in ms, and resident memory, as last measured. */
  get measured(): { cpuMs: number; memoryBytes: number } {
    return { cpuMs: this.#cpuMs, memoryBytes: this.#memoryBytes };
  }

  /** Of all leases together. */
  get leased(): LeaseUsage {
    return [...this.#leases.values()].reduce(addLeases, this.#over);
  }

  /** All in all, until now. */
  used(now: number): { cpuMs: number; memoryBytes: number; uptimeMs: number; requests: number } {
    const { cpuMs, uptimeMs, requests } = this.#totals(now);
    return { cpuMs, memoryBytes: this.#memoryBytes, uptimeMs, requests };
  }

  /** Whether a lessee has yet to say what it counted. */
  get isLeased(): boolean {
    return this.#leases.size > 0;
  }

  measure({ cpuMs, memoryBytes }: { cpuMs: number; memoryBytes: number }): void {
    this.#cpuMs = Math.max(this.#cpuMs, cpuMs);
    this.#memoryBytes = memoryBytes;
    this.#peakBytes = Math.max(this.#peakBytes, memoryBytes);
  }

  /** Of its outbound connections so far. */
  transfer({ ingressBytes, egressBytes }: SandboxTraffic): void {
    const before = this.#traffic;
    this.#traffic = {
      ingressBytes: Math.max(before.ingressBytes, ingressBytes),
      egressBytes: Math.max(before.egressBytes, egressBytes),
    };
  }

  /** A lease begins. */
  lease(lessee: string): void {
    this.#leases.set(lessee, NOTHING);
  }

  /** What the lessee has counted in its lease so far; of no effect when the lease is over. */
  report(lessee: string, usage: LeaseUsage): void {
    if (this.#leases.has(lessee)) this.#leases.set(lessee, usage);
  }

  /** The lease is over, with what was counted in it. */
  giveBack(lessee: string, usage: LeaseUsage = NOTHING): void {
    if (this.#leases.delete(lessee)) this.#over = addLeases(this.#over, { ...usage, inFlight: 0 });
  }

  /** What was used since the last call, until now. Memory is the greatest that was measured in between. */
  take(now: number): UsageDelta {
    const totals = this.#totals(now);
    const taken = this.#taken;
    this.#taken = totals;
    const memoryBytes = this.#peakBytes;
    this.#peakBytes = this.#memoryBytes;
    return {
      requests: totals.requests - taken.requests,
      cpuMs: totals.cpuMs - taken.cpuMs,
      uptimeMs: totals.uptimeMs - taken.uptimeMs,
      ingressBytes: totals.ingressBytes - taken.ingressBytes,
      egressBytes: totals.egressBytes - taken.egressBytes,
      memoryBytes,
    };
  }

  #totals(now: number): Omit<UsageDelta, "memoryBytes"> {
    const { requests, ingressBytes, egressBytes } = this.leased;
    return {
      requests,
      cpuMs: this.#cpuMs,
      uptimeMs: now - this.#startedAtMs,
      ingressBytes: ingressBytes + this.#traffic.ingressBytes,
      egressBytes: egressBytes + this.#traffic.egressBytes,
    };
  }
}

function addLeases(a: LeaseUsage, b: LeaseUsage): LeaseUsage {
  return {
    requests: a.requests + b.requests,
    inFlight: a.inFlight + b.inFlight,
    lastActiveAt: Math.max(a.lastActiveAt, b.lastActiveAt),
    ingressBytes: a.ingressBytes + b.ingressBytes,
    egressBytes: a.egressBytes + b.egressBytes,
  };
}
