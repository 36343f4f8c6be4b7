import type { AcquireContext, Acquired, Subhosted } from "../contract.ts";
import { type ErrorCode, GatewayError } from "../errors.ts";
import { Upstream } from "./upstream.ts";

/** Requests that wait for one deployment's isolate, to be started or to have a place; the next ones are refused. */
const MAX_WAITING = 10_000;
/** For an isolate. Only a net: whoever starts it has bounds of its own, and says which one was reached. */
const ACQUIRE_TIMEOUT_MS = 120_000;

/** What a target is given to work with. */
export interface TargetOptions {
  /** How long a request waits for a place in a live isolate. */
  queueTimeoutMs: number;
  /** Asks for a live isolate. */
  acquire(deploymentId: string, context: AcquireContext): Promise<Acquired>;
  /** A granted isolate is held from now on. */
  onLeased(upstream: Upstream, target: Target): void;
  onBroken(upstream: Upstream, code: ErrorCode): void;
}

/** How a request waits for a place, and what whoever starts an isolate is told of it. */
export interface WaitOptions extends AcquireContext {
  /** `null` = no place is wanted: that there is an isolate is enough. */
  maxConcurrency: number | null;
  /** Nobody wants the place any more. */
  signal: AbortSignal;
}

interface Waiter extends Pick<WaitOptions, "maxConcurrency" | "trace"> {
  admit(upstream: Upstream): void;
  refuse(error: unknown): void;
  timer?: ReturnType<typeof setTimeout>;
}

/**
 * One deployment as requests see it: an isolate with a number of places, started by the first request that needs it,
 * with a queue before it.
 */
export class Target {
  readonly #deploymentId: string;
  readonly #options: TargetOptions;
  readonly #waiters = new Set<Waiter>();
  #upstream: Upstream | null = null;
  #acquiring = false;
  /** What the latest request's relay said. */
  #subhosted: Subhosted | undefined;

  constructor(deploymentId: string, options: TargetOptions) {
    this.#deploymentId = deploymentId;
    this.#options = options;
  }

  get upstream(): Upstream | null {
    return this.#upstream;
  }

  /** Nobody is in the isolate or waits for it. */
  get idle(): boolean {
    return this.#waiters.size === 0 && (this.#upstream?.usage.inFlight ?? 0) === 0;
  }

  /** Nothing is held and nothing is under way. */
  get empty(): boolean {
    return this.#upstream === null && !this.#acquiring && this.#waiters.size === 0;
  }

  /** Takes a place at once, or `null`: then {@linkcode wait}. */
  enter(maxConcurrency: number): Upstream | null {
    const upstream = this.#upstream;
    if (upstream === null || this.#waiters.size > 0 || upstream.isFull(maxConcurrency)) return null;
    upstream.enter();
    return upstream;
  }

  /**
   * Takes a place as soon as there is one, in order of arrival.
   *
   * @throws {GatewayError} `OVERLOADED`, or the code with which no isolate was granted.
   * @throws The signal's reason.
   */
  wait({ maxConcurrency, signal, trace, subhosted }: WaitOptions): Promise<Upstream> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#waiters.size >= MAX_WAITING) {
      return Promise.reject(this.#overloaded(`${MAX_WAITING} requests wait`));
    }
    const { promise, resolve, reject } = Promise.withResolvers<Upstream>();
    const waiter: Waiter = { admit: resolve, refuse: reject, maxConcurrency, trace };
    this.#subhosted = subhosted;
    const onAbort = () => this.#refuse(waiter, signal.reason);
    signal.addEventListener("abort", onAbort);
    this.#waiters.add(waiter);
    this.#arm(waiter);
    this.#admit();
    return promise.finally(() => {
      clearTimeout(waiter.timer);
      signal.removeEventListener("abort", onAbort);
    });
  }

  /** Forgets the isolate: the next request, or one that waits already, acquires anew. */
  drop(upstream: Upstream): void {
    if (this.#upstream !== upstream) return;
    this.#upstream = null;
    for (const waiter of this.#waiters) this.#arm(waiter);
    this.#admit();
  }

  #admit(): void {
    for (const waiter of this.#waiters) {
      const upstream = this.#upstream;
      const { maxConcurrency, trace } = waiter;
      if (upstream === null) return void this.#acquire({ trace, subhosted: this.#subhosted });
      if (maxConcurrency !== null && upstream.isFull(maxConcurrency)) return;
      this.#waiters.delete(waiter);
      if (maxConcurrency !== null) upstream.enter();
      waiter.admit(upstream);
    }
  }

  /** **Invariant:** any number of waiters, one acquisition, which is part of the first one's trace. */
  async #acquire(context: AcquireContext): Promise<void> {
    if (this.#acquiring) return;
    this.#acquiring = true;
    const result = await this.#options.acquire(this.#deploymentId, context);
    this.#acquiring = false;
    if ("code" in result) return this.#refuseAll(result.code, result.retryAfterS);
    const upstream = new Upstream({
      ...result,
      onLeave: () => this.#admit(),
      onBroken: this.#options.onBroken,
    });
    this.#upstream = upstream;
    this.#options.onLeased(upstream, this);
    this.#admit();
    for (const waiter of this.#waiters) this.#arm(waiter);
  }

  /** **Invariant:** whoever waits has one deadline: that of the start, or that of the queue. */
  #arm(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    const timeoutMs = this.#upstream === null ? ACQUIRE_TIMEOUT_MS : this.#options.queueTimeoutMs;
    const error = this.#upstream === null
      ? new GatewayError("ORIGIN_UNAVAILABLE", `${this.#cannotEnter}: no isolate within ${timeoutMs}ms`)
      : this.#overloaded(`no place within ${timeoutMs}ms`);
    waiter.timer = setTimeout(() => this.#refuse(waiter, error), timeoutMs);
  }

  #refuse(waiter: Waiter, error: unknown): void {
    if (this.#waiters.delete(waiter)) waiter.refuse(error);
  }

  #refuseAll(code: ErrorCode, retryAfterS?: number): void {
    for (const waiter of this.#waiters) {
      this.#refuse(waiter, new GatewayError(code, `${this.#cannotEnter}: none was granted`, { retryAfterS }));
    }
  }

  #overloaded(why: string): GatewayError {
    const retryAfterS = Math.max(1, Math.ceil(this.#options.queueTimeoutMs / 1000));
    return new GatewayError("OVERLOADED", `${this.#cannotEnter}: ${why}`, { retryAfterS });
  }

  get #cannotEnter(): string {
    return `Cannot enter an isolate of deployment "${this.#deploymentId}"`;
  }
}
