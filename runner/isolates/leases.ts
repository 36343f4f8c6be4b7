import type { AcquireContext, Acquired, IsolateUsage, RunnerOptions } from "../contract.ts";
import type { ErrorCode } from "../errors.ts";
import { Target } from "./target.ts";
import type { Upstream } from "./upstream.ts";

const MAX_SWEEP_INTERVAL_MS = 1000;

/** Whoever grants isolates. Every grant ends with exactly one `release` or `broken`. */
export interface IsolateSource {
  /** A live isolate of the deployment, or why there is none. Never rejects. */
  acquire(deploymentId: string, context?: AcquireContext): Promise<Acquired>;
  /** The isolate is not used any more; it may have ended. */
  release(usage: IsolateUsage): void;
  /** The isolate cannot be connected to, or broke the protocol: it should be ended. */
  broken(usage: IsolateUsage, code: ErrorCode): void;
}

/** How long what waits or rests may do so. */
export type LeasesOptions = Pick<RunnerOptions, "idleTimeoutMs" | "queueTimeoutMs">;

interface Lease {
  upstream: Upstream;
  target: Target;
}

/** The isolates that this runner holds: leased by the first request, given back when idle, recalled, ended or broken. */
export class Leases implements Disposable {
  readonly #options: LeasesOptions;
  readonly #source: IsolateSource;
  readonly #targets = new Map<string, Target>();
  readonly #leases = new Map<string, Lease>();
  /** Given back as broken with requests still in flight, which want to hear why it ended. */
  readonly #broken = new Map<string, Upstream>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(options: LeasesOptions, source: IsolateSource) {
    this.#options = options;
    this.#source = source;
    this.#timer = setInterval(
      () => this.#sweep(),
      Math.min(MAX_SWEEP_INTERVAL_MS, options.idleTimeoutMs / 2),
    );
  }

  /** The target of a deployment, to enter or to wait for. */
  target(deploymentId: string): Target {
    let target = this.#targets.get(deploymentId);
    if (target === undefined) {
      target = new Target(deploymentId, {
        queueTimeoutMs: this.#options.queueTimeoutMs,
        acquire: (id, context) => this.#source.acquire(id, context),
        onLeased: (upstream, target) => this.#leases.set(upstream.usage.isolateId, { upstream, target }),
        onBroken: (upstream, code) => this.#break(upstream, code),
      });
      this.#targets.set(deploymentId, target);
    }
    return target;
  }

  /** The isolate is gone. What is in flight there fails with `code`. */
  ended(isolateId: string, code: ErrorCode): void {
    this.#broken.get(isolateId)?.end(code);
    const lease = this.#leases.get(isolateId);
    if (lease === undefined) return;
    lease.upstream.end(code);
    this.#giveBack(lease);
  }

  /** Gives an isolate back if nobody is in it; false = somebody is. One that is not held was given back already. */
  recall(isolateId: string): boolean {
    const lease = this.#leases.get(isolateId);
    if (lease === undefined) return true;
    if (!lease.target.idle) return false;
    this.#giveBack(lease);
    return true;
  }

  usage(): IsolateUsage[] {
    return Array.from(this.#leases.values(), ({ upstream }) => ({ ...upstream.usage }));
  }

  /** The isolates in which requests are in flight. */
  inFlight(): string[] {
    const isolateIds = [];
    for (const [isolateId, { upstream }] of this.#leases) {
      if (upstream.usage.inFlight > 0) isolateIds.push(isolateId);
    }
    return isolateIds;
  }

  /** Cuts what is in flight and gives everything back. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const upstream of this.#broken.values()) upstream.close();
    for (const lease of this.#leases.values()) {
      lease.upstream.close();
      this.#giveBack(lease);
    }
  }

  /** What is in flight there goes on. */
  #break(upstream: Upstream, code: ErrorCode): void {
    const lease = this.#leases.get(upstream.usage.isolateId);
    if (lease?.upstream !== upstream) return;
    this.#forget(lease);
    this.#broken.set(upstream.usage.isolateId, upstream);
    this.#source.broken({ ...upstream.usage }, code);
  }

  #giveBack(lease: Lease): void {
    this.#forget(lease);
    this.#source.release({ ...lease.upstream.usage });
  }

  #forget({ upstream, target }: Lease): void {
    this.#leases.delete(upstream.usage.isolateId);
    upstream.retire();
    target.drop(upstream);
  }

  #sweep(): void {
    const now = Date.now();
    for (const [deploymentId, target] of this.#targets) {
      const upstream = target.upstream;
      upstream?.sweep(now);
      if (upstream !== null && target.idle && now - this.#activeAt(upstream) >= this.#options.idleTimeoutMs) {
        this.recall(upstream.usage.isolateId);
      }
      if (target.empty) this.#targets.delete(deploymentId);
    }
    for (const [isolateId, upstream] of this.#broken) {
      if (upstream.usage.inFlight === 0) this.#broken.delete(isolateId);
    }
  }

  #activeAt({ usage, leasedAt }: Upstream): number {
    return Math.max(usage.lastActiveAt, leasedAt);
  }
}
