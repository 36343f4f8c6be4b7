import type { ErrorCode } from "../../runner/mod.ts";
import { Backoff } from "./backoff.ts";
import { type IsolateState, startingIsolate } from "./isolate_state.ts";
import type { EndReason, LifecycleEffect, LifecycleEvent } from "./lifecycle_events.ts";
import { type Service, Services } from "./services.ts";
import { WaitingLine } from "./waiting_line.ts";

/** The bounds of the lifecycle. */
export interface LifecycleOptions {
  /** Isolates with a program, on this machine. */
  maxIsolates: number;
  /** Blank sandboxes kept ready. */
  warmPool: number;
  /** Blank sandboxes being started at one time. */
  maxStarting: number;
  /** How long an acquire waits for a place. */
  queueTimeoutMs: number;
  /** Acquires that wait at one time, over all deployments; more are refused at once. */
  maxWaiters: number;
  /** How long unfinished work keeps an isolate that nobody uses. */
  maxBackgroundMs: number;
}

/** How often an isolate with unfinished work, or one that is to go, is asked again. */
export const ASK_INTERVAL_MS = 500;
/** A question that is not answered within this time is asked again. */
export const ANSWER_TIMEOUT_MS = 2_000;
/** How long a retired isolate may finish what is in flight. */
export const RETIRE_TIMEOUT_MS = 10_000;
/** The pool is filled up so long after it was drawn on, unless somebody waits: a program starts while no process does. */
export const REFILL_DELAY_MS = 50;
const OVERLOADED_RETRY_MS = 1_000;
const LIMIT_REASONS = { MEMORY_LIMIT: "memory_limit", TIME_LIMIT: "time_limit" } as const;

/**
 * The decisions of the supervisor, (state, event) → effects, without a clock, a process or a socket in it: the
 * state and its one transition function, {@linkcode Lifecycle.handle}.
 *
 * An isolate is `starting → blank → booting → ready → ending`; one that is started for a program that no blank sandbox can
 * take skips `blank`. Who uses an isolate holds a lease on it; an isolate without leases and without unfinished work is idle.
 *
 * **Invariant:** nothing is started for a deployment before the time that its {@linkcode Backoff} says, and who asks
 * meanwhile is answered at once with what went wrong last.
 */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #newId: () => string;
  readonly #isolates = new Map<string, IsolateState>();
  readonly #services = new Services();
  readonly #line: WaitingLine;
  /** Of blank sandboxes. */
  readonly #startBackoff = new Backoff();
  #refillAt: number | undefined;
  #surveyUntil = 0;
  #roomWanted = 0;
  #now = 0;
  #effects: LifecycleEffect[] = [];

  constructor(options: LifecycleOptions, newId: () => string) {
    this.#options = options;
    this.#newId = newId;
    this.#line = new WaitingLine(options.maxWaiters);
  }

  /** Phase, deployment and leases of every isolate. */
  get isolates(): ReadonlyMap<string, Readonly<Pick<IsolateState, "phase" | "deploymentId" | "leases">>> {
    return this.#isolates;
  }

  /** Acquires not answered yet. */
  get waiting(): number {
    return this.#line.size;
  }

  /** Applies an event at a time (ms, never going back) and says what to do. */
  handle(event: LifecycleEvent, now: number): LifecycleEffect[] {
    this.#now = Math.max(this.#now, now);
    this.#effects = [];
    this.#apply(event);
    this.#tend();
    this.#fillPlaces();
    this.#expireWaiters();
    this.#fillPool();
    return this.#effects;
  }

  /** When `tick` is due, or `Infinity`. */
  nextTickAt(): number {
    let next = this.#refillAt ?? Infinity;
    for (const { deploymentId, backoff } of this.#services.unserved()) {
      const first = this.#line.first(deploymentId);
      if (first === undefined) next = Math.min(next, backoff.forgottenAt);
      else next = Math.min(next, first.queuedUntil, this.#now + ASK_INTERVAL_MS);
    }
    for (const isolate of this.#isolates.values()) {
      const { phase, leases, askAt, recalledAt, retireBy } = isolate;
      if (phase !== "ready") continue;
      if (leases.size === 0 && askAt !== undefined) next = Math.min(next, askAt);
      if (leases.size > 0 && recalledAt !== undefined) next = Math.min(next, recalledAt + ASK_INTERVAL_MS);
      if (retireBy !== undefined) next = Math.min(next, retireBy);
    }
    if (this.#startBackoff.retryAt > this.#now) next = Math.min(next, this.#startBackoff.retryAt);
    return next;
  }

  #apply(event: LifecycleEvent) {
    switch (event.type) {
      case "acquire":
        return this.#acquire(event);
      case "retire":
        return this.#retire(event.deploymentId);
      case "surveyed":
        return this.#surveyed(event.lastActiveAt);
      case "tick":
        return;
    }
    const isolate = this.#isolates.get(event.isolateId);
    if (isolate === undefined) return;
    switch (event.type) {
      case "started":
        return this.#started(isolate);
      case "booted":
        return this.#booted(isolate);
      case "ended":
        return this.#ended(isolate, event.code);
      case "released":
        isolate.leases.delete(event.lessee);
        isolate.lastUsedAt = this.#now;
        return;
      case "busy":
        isolate.lastUsedAt = this.#now;
        isolate.busyUntil = this.#now + ASK_INTERVAL_MS;
        if (isolate.retireBy === undefined) isolate.recalledAt = undefined;
        return;
      case "broken":
        isolate.leases.delete(event.lessee);
        return this.#endFailed(isolate, "protocol", event.code);
      case "exceeded":
        return this.#endFailed(isolate, LIMIT_REASONS[event.code], event.code);
      case "pending":
        return this.#pending(isolate, event.count);
    }
  }

  #acquire({ waiter, lessee, deploymentId, tree }: Extract<LifecycleEvent, { type: "acquire" }>) {
    const service = this.#services.of(deploymentId);
    service.tree = tree;
    const isolate = service.isolateId === undefined ? undefined : this.#isolates.get(service.isolateId);
    if (isolate?.phase === "ready") return this.#grant(isolate, waiter, lessee);
    const { retryAt, code } = service.backoff;
    if (isolate === undefined && retryAt > this.#now) {
      return this.#refuse([{ id: waiter }], code, retryAt - this.#now);
    }
    const queuedUntil = this.#now + this.#options.queueTimeoutMs;
    if (!this.#line.join(deploymentId, { id: waiter, lessee, queuedUntil })) {
      this.#refuse([{ id: waiter }], "OVERLOADED", OVERLOADED_RETRY_MS);
    }
  }

  #grant(isolate: IsolateState, waiter: string, lessee: string) {
    isolate.leases.add(lessee);
    isolate.lastUsedAt = this.#now;
    isolate.usedSinceAsked = true;
    isolate.recalledAt = undefined;
    this.#effects.push({ type: "grant", waiter, isolateId: isolate.id });
  }

  #started(isolate: IsolateState) {
    if (isolate.phase === "starting") {
      this.#startBackoff.booted();
      isolate.phase = isolate.deploymentId === undefined ? "blank" : "booting";
    } else if (isolate.phase === "ending") {
      // Retired before there was a process to end.
      this.#effects.push({ type: "end", isolateId: isolate.id, reason: "retired" });
    }
  }

  #booted(isolate: IsolateState) {
    if (isolate.phase !== "booting") return; // Ended meanwhile.
    isolate.phase = "ready";
    isolate.lastUsedAt = this.#now;
    this.#services.of(isolate.deploymentId!).backoff.booted();
    for (const { id, lessee } of this.#line.leave(isolate.deploymentId!)) this.#grant(isolate, id, lessee);
  }

  #ended({ id, phase, deploymentId }: IsolateState, code: ErrorCode | undefined) {
    this.#isolates.delete(id);
    if (deploymentId === undefined) return this.#startBackoff.bootFailed(this.#now, "BOOT_FAILURE");
    const service = this.#services.get(deploymentId);
    if (service?.isolateId !== id) return;
    service.isolateId = undefined;
    if (phase === "ready") {
      if (code !== undefined) service.backoff.died(this.#now, code);
      return;
    }
    this.#bootFailed(service, code ?? "BOOT_FAILURE");
  }

  #bootFailed({ deploymentId, backoff }: Service, code: ErrorCode) {
    backoff.bootFailed(this.#now, code);
    this.#refuse(this.#line.leave(deploymentId), code, backoff.retryAt - this.#now);
  }

  /** Ends what must not be used any more, as if it had failed by itself. */
  #endFailed(isolate: IsolateState, reason: EndReason, code: ErrorCode) {
    if (isolate.phase !== "ready" && isolate.phase !== "booting") return;
    const service = this.#services.get(isolate.deploymentId!);
    if (service?.isolateId === isolate.id) {
      if (isolate.phase === "ready") service.backoff.died(this.#now, code);
      else this.#bootFailed(service, code);
    }
    this.#end(isolate, reason);
  }

  #pending(isolate: IsolateState, count: number) {
    if (isolate.phase !== "ready") return;
    isolate.askAt = undefined;
    if (isolate.usedSinceAsked) return;
    const spent = this.#now - isolate.lastUsedAt >= this.#options.maxBackgroundMs;
    if (count === 0 || spent) {
      return this.#end(isolate, isolate.recalledAt === undefined ? "idle" : "evicted");
    }
    isolate.askAt = this.#now + ASK_INTERVAL_MS;
    isolate.recalledAt = undefined;
  }

  #retire(deploymentId: string) {
    const service = this.#services.get(deploymentId);
    if (service === undefined) return;
    this.#refuse(this.#line.leave(deploymentId), "DEPLOYMENT_NOT_FOUND");
    this.#services.delete(deploymentId);
    const isolate = service.isolateId === undefined ? undefined : this.#isolates.get(service.isolateId);
    if (isolate?.phase === "ready") isolate.retireBy = this.#now + RETIRE_TIMEOUT_MS;
    else if (isolate !== undefined) this.#end(isolate, "retired");
  }

  /** Isolates that nobody uses any more, or that should come back. */
  #tend() {
    for (const isolate of this.#isolates.values()) {
      const { phase, leases, recalledAt, retireBy } = isolate;
      if (phase !== "ready") continue;
      if (retireBy !== undefined && (leases.size === 0 || this.#now >= retireBy)) {
        this.#end(isolate, "retired");
      } else if (leases.size === 0) this.#askPending(isolate);
      else if (retireBy !== undefined || recalledAt !== undefined) this.#recall(isolate);
    }
  }

  #askPending(isolate: IsolateState) {
    if (isolate.askAt !== undefined && this.#now < isolate.askAt) return;
    isolate.askAt = this.#now + ANSWER_TIMEOUT_MS;
    isolate.usedSinceAsked = false;
    this.#effects.push({ type: "askPending", isolateId: isolate.id });
  }

  #expireWaiters() {
    for (const { deploymentId } of this.#services.unserved()) {
      const first = this.#line.first(deploymentId);
      if (first === undefined || first.queuedUntil > this.#now) continue;
      this.#refuse(this.#line.leaveLate(deploymentId, this.#now), "OVERLOADED", OVERLOADED_RETRY_MS);
    }
    this.#services.forget(this.#now, (deploymentId) => this.#line.first(deploymentId) !== undefined);
  }

  /** Gives the deployments that wait an isolate, in the order in which they came, and makes room for them. */
  #fillPlaces() {
    const free = Math.max(0, this.#options.maxIsolates - this.#placesTaken());
    const unplaced = this.#unplaced();
    const wanted = Math.max(0, unplaced.length - free);
    const placed = free === 0 ? [] : this.#inOrder(unplaced).slice(0, free);
    for (const service of placed) this.#place(service);
    this.#makeRoom(wanted);
  }

  /** Without a blank sandbox the place is kept for it until there is one. */
  #place(service: Service) {
    if (service.tree) {
      const isolate = this.#add(service);
      this.#effects.push({ type: "start", isolateId: isolate.id, deploymentId: service.deploymentId });
      return;
    }
    const blank = this.#find((isolate) => isolate.phase === "blank");
    if (blank === undefined) return;
    blank.phase = "booting";
    blank.deploymentId = service.deploymentId;
    service.isolateId = blank.id;
    if (this.#options.warmPool > 0) this.#refillAt ??= this.#now + REFILL_DELAY_MS;
    this.#effects.push({ type: "assign", isolateId: blank.id, deploymentId: service.deploymentId });
  }

  /** Recalls the least recently used isolates, once a survey has said which they are. */
  #makeRoom(wanted: number) {
    const coming = this.#count(({ phase, recalledAt, retireBy }) =>
      phase === "ending" || (recalledAt !== undefined && retireBy === undefined)
    );
    if (wanted <= coming || this.#now < this.#surveyUntil || this.#candidates().length === 0) return;
    this.#surveyUntil = this.#now + ANSWER_TIMEOUT_MS;
    this.#roomWanted = wanted - coming;
    this.#effects.push({ type: "survey" });
  }

  #surveyed(lastActiveAt: ReadonlyMap<string, number>) {
    this.#surveyUntil = 0;
    for (const [id, at] of lastActiveAt) {
      const isolate = this.#isolates.get(id);
      if (isolate !== undefined) isolate.lastUsedAt = Math.max(isolate.lastUsedAt, at);
    }
    const oldest = this.#candidates().sort((a, b) => a.lastUsedAt - b.lastUsedAt);
    for (const isolate of oldest.slice(0, this.#roomWanted)) this.#recall(isolate);
    this.#roomWanted = 0;
  }

  /** Those without leases are not among them: they end on their own as soon as their work is done. */
  #candidates(): IsolateState[] {
    return [...this.#isolates.values()].filter(({ phase, leases, recalledAt, retireBy, busyUntil }) =>
      phase === "ready" && leases.size > 0 && recalledAt === undefined && retireBy === undefined &&
      busyUntil <= this.#now
    );
  }

  #fillPool() {
    if (this.#refillAt !== undefined && this.#now >= this.#refillAt) this.#refillAt = undefined;
    if (this.#now < this.#startBackoff.retryAt) return;
    const room = Math.max(0, this.#options.maxIsolates - this.#placesTaken());
    const waiting = room === 0 ? 0 : this.#unplaced().filter(({ tree }) => !tree).length;
    const target = Math.min(waiting, room) + (this.#refillAt === undefined ? this.#options.warmPool : 0);
    const starting = this.#count(({ phase, deploymentId }) => phase === "starting" && !deploymentId);
    const blanks = this.#count((isolate) => isolate.phase === "blank");
    const missing = Math.min(target - blanks - starting, this.#options.maxStarting - starting);
    for (let i = 0; i < missing; i++) {
      this.#effects.push({ type: "start", isolateId: this.#add().id });
    }
  }

  #recall(isolate: IsolateState) {
    if (isolate.recalledAt !== undefined && this.#now < isolate.recalledAt + ASK_INTERVAL_MS) return;
    isolate.recalledAt = this.#now;
    for (const lessee of isolate.leases) {
      this.#effects.push({ type: "recall", isolateId: isolate.id, lessee });
    }
  }

  #end(isolate: IsolateState, reason: EndReason) {
    isolate.phase = "ending";
    isolate.leases.clear();
    const service = this.#services.get(isolate.deploymentId ?? "");
    if (service?.isolateId === isolate.id) service.isolateId = undefined;
    this.#effects.push({ type: "end", isolateId: isolate.id, reason });
  }

  #refuse(waiters: { id: string }[], code: ErrorCode, retryAfterMs?: number) {
    for (const { id } of waiters) this.#effects.push({ type: "refuse", waiter: id, code, retryAfterMs });
  }

  #add(service?: Service): IsolateState {
    const isolate = startingIsolate(this.#newId(), this.#now, service?.deploymentId);
    if (service !== undefined) service.isolateId = isolate.id;
    this.#isolates.set(isolate.id, isolate);
    return isolate;
  }

  /** Who waits longest comes first. */
  #inOrder(services: Service[]): Service[] {
    const queuedUntil = ({ deploymentId }: Service) => this.#line.first(deploymentId)!.queuedUntil;
    return services.sort((a, b) => queuedUntil(a) - queuedUntil(b));
  }

  /** Without an isolate, and somebody waits for one. */
  #unplaced(): Service[] {
    if (this.#line.size === 0) return [];
    return [...this.#services.unserved()].filter(({ deploymentId }) =>
      this.#line.first(deploymentId) !== undefined
    );
  }

  #placesTaken(): number {
    return this.#count((isolate) => isolate.deploymentId !== undefined);
  }

  #count(matches: (isolate: IsolateState) => boolean): number {
    let count = 0;
    for (const isolate of this.#isolates.values()) if (matches(isolate)) count++;
    return count;
  }

  #find(matches: (isolate: IsolateState) => boolean): IsolateState | undefined {
    for (const isolate of this.#isolates.values()) if (matches(isolate)) return isolate;
  }
}
