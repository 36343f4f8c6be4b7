import type { ErrorCode } from "../../runner/mod.ts";
import type { IsolatePhase, LifecycleEffect, LifecycleEvent } from "./lifecycle_events.ts";

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
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;

interface Isolate {
  readonly id: string;
  phase: IsolatePhase;
  deploymentId?: string;
  readonly leases: Set<string>;
  /** When it was last seen in use: a lease taken or given back, or what a survey found. */
  lastUsedAt: number;
  /** A lessee said that it has requests in flight: not to be recalled again before. */
  busyUntil: number;
  /** Asked to come back, to make room or to retire; when to ask again. */
  recalledAt?: number;
  /** When to ask for its unfinished work (again). */
  askAt?: number;
  /** Leased since it was asked for its unfinished work: the answer says nothing about now. */
  usedSinceAsked: boolean;
  retireBy?: number;
}

interface Waiter {
  id: string;
  lessee: string;
  queuedUntil: number;
}

interface Service {
  readonly deploymentId: string;
  tree: boolean;
  isolateId?: string;
  waiters: Waiter[];
  failures: number;
  retryAt: number;
  lastCode: ErrorCode;
}

/**
 * The decisions of the supervisor, (state, event) → effects, without a clock, a process or a socket in it: the
 * state and its one transition function, {@linkcode Lifecycle.handle}.
 *
 * An isolate is `starting → blank → booting → ready → ending`; one that is started for a program that no blank sandbox can
 * take skips `blank`. Who uses an isolate holds a lease on it; an isolate without leases and without unfinished work is idle.
 */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #newId: () => string;
  readonly #isolates = new Map<string, Isolate>();
  readonly #services = new Map<string, Service>();
  #waiterCount = 0;
  #startFailures = 0;
  #startRetryAt = 0;
  #surveyUntil = 0;
  #roomWanted = 0;
  #now = 0;
  #effects: LifecycleEffect[] = [];

  constructor(options: LifecycleOptions, newId: () => string) {
    this.#options = options;
    this.#newId = newId;
  }

  /** Phase, deployment and leases of every isolate. */
  get isolates(): ReadonlyMap<string, Readonly<Pick<Isolate, "phase" | "deploymentId" | "leases">>> {
    return this.#isolates;
  }

  /** Acquires not answered yet. */
  get waiting(): number {
    return this.#waiterCount;
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
    let next = Infinity;
    for (const { waiters, isolateId, retryAt } of this.#services.values()) {
      if (isolateId === undefined && waiters.length > 0) {
        next = Math.min(next, waiters[0]!.queuedUntil, this.#now + ASK_INTERVAL_MS);
      }
      if (waiters.length === 0 && isolateId === undefined) next = Math.min(next, retryAt + MAX_BACKOFF_MS);
    }
    for (const isolate of this.#isolates.values()) {
      const { phase, leases, askAt, recalledAt, retireBy } = isolate;
      if (phase !== "ready") continue;
      if (leases.size === 0 && askAt !== undefined) next = Math.min(next, askAt);
      if (leases.size > 0 && recalledAt !== undefined) next = Math.min(next, recalledAt + ASK_INTERVAL_MS);
      if (retireBy !== undefined) next = Math.min(next, retireBy);
    }
    if (this.#startRetryAt > this.#now) next = Math.min(next, this.#startRetryAt);
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
        if (isolate.phase === "ready") this.#end(isolate, "protocol");
        return;
      case "pending":
        return this.#pending(isolate, event.count);
    }
  }

  #acquire({ waiter, lessee, deploymentId, tree }: Extract<LifecycleEvent, { type: "acquire" }>) {
    const service = this.#service(deploymentId);
    service.tree = tree;
    const isolate = service.isolateId === undefined ? undefined : this.#isolates.get(service.isolateId);
    if (isolate?.phase === "ready") return this.#grant(isolate, waiter, lessee);
    if (isolate === undefined && service.retryAt > this.#now) {
      const retryAfterMs = service.retryAt - this.#now;
      return void this.#effects.push({ type: "refuse", waiter, code: service.lastCode, retryAfterMs });
    }
    if (this.#waiterCount >= this.#options.maxWaiters) {
      return void this.#effects.push({ type: "refuse", waiter, code: "OVERLOADED", retryAfterMs: 1000 });
    }
    this.#waiterCount++;
    service.waiters.push({ id: waiter, lessee, queuedUntil: this.#now + this.#options.queueTimeoutMs });
  }

  #grant(isolate: Isolate, waiter: string, lessee: string) {
    isolate.leases.add(lessee);
    isolate.lastUsedAt = this.#now;
    isolate.usedSinceAsked = true;
    isolate.recalledAt = undefined;
    this.#effects.push({ type: "grant", waiter, isolateId: isolate.id });
  }

  #started(isolate: Isolate) {
    if (isolate.phase === "starting") {
      this.#startFailures = 0;
      isolate.phase = isolate.deploymentId === undefined ? "blank" : "booting";
    } else if (isolate.phase === "ending") {
      // Retired before there was a process to end.
      this.#effects.push({ type: "end", isolateId: isolate.id, reason: "retired" });
    }
  }

  #booted(isolate: Isolate) {
    if (isolate.phase !== "booting") return; // Ended meanwhile.
    isolate.phase = "ready";
    isolate.lastUsedAt = this.#now;
    const service = this.#service(isolate.deploymentId!);
    service.failures = 0;
    service.retryAt = 0;
    for (const { id, lessee } of this.#takeWaiters(service)) this.#grant(isolate, id, lessee);
  }

  #ended(isolate: Isolate, code: ErrorCode | undefined) {
    this.#isolates.delete(isolate.id);
    if (isolate.deploymentId === undefined) {
      this.#startRetryAt = this.#now + backoffMs(++this.#startFailures);
      return;
    }
    const service = this.#services.get(isolate.deploymentId);
    if (service?.isolateId !== isolate.id) return;
    service.isolateId = undefined;
    if (isolate.phase !== "booting" && isolate.phase !== "starting") return;
    service.lastCode = code ?? "BOOT_FAILURE";
    const retryAfterMs = backoffMs(++service.failures);
    service.retryAt = this.#now + retryAfterMs;
    this.#refuse(service, service.lastCode, retryAfterMs);
  }

  #pending(isolate: Isolate, count: number) {
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
    this.#refuse(service, "DEPLOYMENT_NOT_FOUND");
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

  #askPending(isolate: Isolate) {
    if (isolate.askAt !== undefined && this.#now < isolate.askAt) return;
    isolate.askAt = this.#now + ANSWER_TIMEOUT_MS;
    isolate.usedSinceAsked = false;
    this.#effects.push({ type: "askPending", isolateId: isolate.id });
  }

  #expireWaiters() {
    for (const service of this.#services.values()) {
      if (service.isolateId === undefined) {
        while (service.waiters.length > 0 && service.waiters[0]!.queuedUntil <= this.#now) {
          const { id } = service.waiters.shift()!;
          this.#waiterCount--;
          this.#effects.push({ type: "refuse", waiter: id, code: "OVERLOADED", retryAfterMs: 1000 });
        }
        const forgotten = this.#now >= service.retryAt + MAX_BACKOFF_MS;
        if (service.waiters.length === 0 && forgotten) this.#services.delete(service.deploymentId);
      }
    }
  }

  /** Gives the deployments that wait an isolate, in the order in which they came, and makes room for them. */
  #fillPlaces() {
    let free = this.#options.maxIsolates - this.#placesTaken();
    let wanted = 0;
    for (const service of this.#queue()) {
      if (free-- > 0) this.#place(service);
      else wanted++;
    }
    this.#makeRoom(wanted);
  }

  /** Without a blank sandbox the place is kept for it until there is one. */
  #place(service: Service) {
    if (service.tree) {
      const isolate = this.#add("starting", service);
      this.#effects.push({ type: "start", isolateId: isolate.id, deploymentId: service.deploymentId });
      return;
    }
    const blank = this.#find((isolate) => isolate.phase === "blank");
    if (blank === undefined) return;
    blank.phase = "booting";
    blank.deploymentId = service.deploymentId;
    service.isolateId = blank.id;
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
  #candidates(): Isolate[] {
    return [...this.#isolates.values()].filter(({ phase, leases, recalledAt, retireBy, busyUntil }) =>
      phase === "ready" && leases.size > 0 && recalledAt === undefined && retireBy === undefined &&
      busyUntil <= this.#now
    );
  }

  #fillPool() {
    if (this.#now < this.#startRetryAt) return;
    const waiting = this.#queue().filter(({ tree }) => !tree).length;
    const room = Math.max(0, this.#options.maxIsolates - this.#placesTaken());
    const target = this.#options.warmPool + Math.min(waiting, room);
    const starting = this.#count((isolate) =>
      isolate.phase === "starting" && isolate.deploymentId === undefined
    );
    const blanks = this.#count((isolate) => isolate.phase === "blank");
    const missing = Math.min(target - blanks - starting, this.#options.maxStarting - starting);
    for (let i = 0; i < missing; i++) {
      this.#effects.push({ type: "start", isolateId: this.#add("starting").id });
    }
  }

  #recall(isolate: Isolate) {
    if (isolate.recalledAt !== undefined && this.#now < isolate.recalledAt + ASK_INTERVAL_MS) return;
    isolate.recalledAt = this.#now;
    for (const lessee of isolate.leases) {
      this.#effects.push({ type: "recall", isolateId: isolate.id, lessee });
    }
  }

  #end(isolate: Isolate, reason: Extract<LifecycleEffect, { type: "end" }>["reason"]) {
    isolate.phase = "ending";
    isolate.leases.clear();
    const service = this.#services.get(isolate.deploymentId ?? "");
    if (service?.isolateId === isolate.id) service.isolateId = undefined;
    this.#effects.push({ type: "end", isolateId: isolate.id, reason });
  }

  #refuse(service: Service, code: ErrorCode, retryAfterMs?: number) {
    for (const { id } of this.#takeWaiters(service)) {
      this.#effects.push({ type: "refuse", waiter: id, code, retryAfterMs });
    }
  }

  #takeWaiters(service: Service): Waiter[] {
    const { waiters } = service;
    service.waiters = [];
    this.#waiterCount -= waiters.length;
    return waiters;
  }

  #service(deploymentId: string): Service {
    let service = this.#services.get(deploymentId);
    if (service === undefined) {
      service = { deploymentId, tree: false, waiters: [], failures: 0, retryAt: 0, lastCode: "BOOT_FAILURE" };
      this.#services.set(deploymentId, service);
    }
    return service;
  }

  #add(phase: IsolatePhase, service?: Service): Isolate {
    const isolate: Isolate = {
      id: this.#newId(),
      phase,
      leases: new Set(),
      lastUsedAt: this.#now,
      busyUntil: 0,
      usedSinceAsked: false,
    };
    if (service !== undefined) {
      isolate.deploymentId = service.deploymentId;
      service.isolateId = isolate.id;
    }
    this.#isolates.set(isolate.id, isolate);
    return isolate;
  }

  /** Who waits longest comes first. */
  #queue(): Service[] {
    return [...this.#services.values()]
      .filter(({ isolateId, waiters }) => isolateId === undefined && waiters.length > 0)
      .sort((a, b) => a.waiters[0]!.queuedUntil - b.waiters[0]!.queuedUntil);
  }

  #placesTaken(): number {
    return this.#count((isolate) => isolate.deploymentId !== undefined);
  }

  #count(matches: (isolate: Isolate) => boolean): number {
    let count = 0;
    for (const isolate of this.#isolates.values()) if (matches(isolate)) count++;
    return count;
  }

  #find(matches: (isolate: Isolate) => boolean): Isolate | undefined {
    for (const isolate of this.#isolates.values()) if (matches(isolate)) return isolate;
  }
}

function backoffMs(failures: number): number {
  return Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (failures - 1));
}
