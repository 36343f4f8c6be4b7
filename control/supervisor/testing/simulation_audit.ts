import { DEATHS_WINDOW_MS, FREE_DEATHS } from "../backoff.ts";
import { type Lifecycle, type LifecycleOptions, RETIRE_TIMEOUT_MS } from "../lifecycle.ts";
import type { LifecycleEffect, LifecycleEvent } from "../lifecycle_events.ts";
import { MAX_BOOT_MS, type SimulatedExecutor, type SimulatedProcess } from "./simulated_executor.ts";
import type { SimulatedRunner } from "./simulated_runner.ts";
import type { SimulatedTime } from "./simulated_time.ts";

/** More ticks than this in one simulated second, for each isolate and runner, is a loop. */
const TICKS_PER_SECOND = 20;
/** Longer than any survey, recall, question and end take together when no answer is lost. */
const EVICTION_MS = 3_000;
/** The shortest back-off. */
const BACKOFF_MS = 1_000;

type Effect<Type extends LifecycleEffect["type"]> = Extract<LifecycleEffect, { type: Type }>;

interface Waiter {
  lessee: string;
  deploymentId: string;
  askedAtMs: number;
  askedAtClockMs: number;
}

/** What the audit looks at. */
export interface SimulationAuditOptions {
  options: LifecycleOptions;
  lifecycle: Lifecycle;
  time: SimulatedTime;
  executor: SimulatedExecutor;
  runners: ReadonlyMap<string, SimulatedRunner>;
  /** What a bound may be missed by. While the clock is behind where it was, the lifecycle's time stands still. */
  slackMs: number;
  /** No answer gets lost and the clock is right, so that an idle isolate makes room in time. */
  exact: boolean;
}

/**
 * Keeps its own books of a simulation, and compares what the lifecycle wants with what it promised.
 *
 * Every method throws an {@linkcode Error} that names the promise that was broken.
 */
export class SimulationAudit {
  readonly #world: SimulationAuditOptions;
  readonly #waiters = new Map<string, Waiter>();
  readonly #leases = new Map<string, Set<string>>();
  readonly #lastLeaseAt = new Map<string, number>();
  readonly #retiredAt = new Map<string, number>();
  /** Isolates of deployments that were retired while they were there. */
  readonly #retiring = new Set<string>();
  readonly #failedAt = new Map<string, number>();
  /** Of isolates that had booted, by deployment, oldest first. */
  readonly #deathsAt = new Map<string, number[]>();
  #startFailedAt = -Infinity;
  /** As the lifecycle knows it. */
  #clockMs = 0;
  #tickSecond = 0;
  #ticks = 0;

  constructor(world: SimulationAuditOptions) {
    this.#world = world;
  }

  /** A lessee asks for a deployment. */
  asked(waiter: string, lessee: string, deploymentId: string): void {
    const { time, options, slackMs } = this.#world;
    this.#readClock();
    this.#waiters.set(waiter, {
      lessee,
      deploymentId,
      askedAtMs: time.nowMs,
      askedAtClockMs: this.#clockMs,
    });
    const boundMs = options.queueTimeoutMs + MAX_BOOT_MS + slackMs;
    time.after(
      boundMs,
      () => expect(!this.#waiters.has(waiter), `${waiter} is answered within ${boundMs}ms`),
    );
  }

  /** A lessee gives an isolate back. */
  returned(isolateId: string, lessee: string): void {
    this.#readClock();
    this.#leases.get(isolateId)?.delete(lessee);
    this.#lastLeaseAt.set(isolateId, this.#clockMs);
  }

  /** A deployment is no more. */
  retired(deploymentId: string): void {
    const { time, slackMs } = this.#world;
    this.#readClock();
    const early = this.#processes().filter((process) => process.deploymentId === deploymentId);
    for (const { id } of early) this.#retiring.add(id);
    this.#failedAt.delete(deploymentId);
    this.#deathsAt.delete(deploymentId);
    this.#retiredAt.set(deploymentId, this.#clockMs);
    time.after(RETIRE_TIMEOUT_MS + MAX_BOOT_MS + slackMs, () => {
      for (const { gone, id } of early) expect(gone, `${id} of the retired "${deploymentId}" is ended`);
    });
  }

  /** An isolate's process is gone, and the lifecycle is about to learn it. */
  ended(isolateId: string, unasked: boolean): void {
    this.#readClock();
    const { deploymentId } = this.#world.lifecycle.isolates.get(isolateId)!;
    if (deploymentId === undefined) this.#startFailedAt = this.#clockMs;
    else if (unasked) this.exceeded(isolateId);
    this.#leases.delete(isolateId);
  }

  /** An isolate is no good, and the lifecycle is about to learn it. */
  exceeded(isolateId: string): void {
    this.#readClock();
    const { phase, deploymentId } = this.#world.lifecycle.isolates.get(isolateId)!;
    if (phase === "booting" || phase === "starting") this.#failedAt.set(deploymentId!, this.#clockMs);
    else this.lost(isolateId);
  }

  /** The lifecycle is about to learn that it has to do without an isolate that served. */
  lost(isolateId: string): void {
    this.#readClock();
    const isolate = this.#world.lifecycle.isolates.get(isolateId);
    if (isolate?.phase !== "ready" || this.#retiring.has(isolateId)) return;
    const deathsAt = this.#deathsAt.get(isolate.deploymentId!);
    if (deathsAt === undefined) this.#deathsAt.set(isolate.deploymentId!, [this.#clockMs]);
    else deathsAt.push(this.#clockMs);
  }

  /** The lifecycle wants something done. */
  wanted(effect: LifecycleEffect): void {
    this.#readClock();
    switch (effect.type) {
      case "start":
        return this.#start(effect);
      case "assign":
        return this.#assign(effect);
      case "end":
        return this.#end(effect);
      case "recall": {
        const leased = this.#leases.get(effect.isolateId)?.has(effect.lessee);
        return expect(leased, "only a lessee is asked for a lease");
      }
      case "askPending":
        return void this.#ready(effect.isolateId);
      case "grant":
        return this.#grant(effect);
      case "refuse":
        return this.#refuse(effect);
    }
  }

  /** All that an event led to is done. */
  settled(event: LifecycleEvent): void {
    const { lifecycle, options, executor } = this.#world;
    const { isolates, waiting } = lifecycle;
    this.#readClock();
    expect(lifecycle.nextTickAt() > this.#clockMs, "what is due now is done now");
    expect(isolates.size === executor.processes.size, "every process is known, and no other");
    expect(waiting === this.#waiters.size, `${waiting} wait for an answer`);
    expect(waiting <= options.maxWaiters, "no more wait than may");
    this.#checkProcesses();
    if (event.type === "tick") this.#countTick();
  }

  /** Everything that can happen has happened. */
  rested(): void {
    const { runners, options, lifecycle } = this.#world;
    expect(this.#waiters.size === 0, "nobody waits");
    expect([...runners.values()].every(({ quiet }) => quiet), "every request has an end");
    expect(this.#processes().every(({ deploymentId }) => deploymentId === undefined), "no program is left");
    expect(this.#processes().length >= options.warmPool, "the pool is full");
    expect(lifecycle.nextTickAt() === Infinity, "nothing is remembered for ever");
  }

  #start({ isolateId, deploymentId }: Effect<"start">) {
    expect(!this.#leases.has(isolateId), "an isolate's id is new");
    this.#leases.set(isolateId, new Set());
    if (deploymentId !== undefined) this.#checkBackoff(deploymentId);
    else expect(this.#clockMs >= this.#startFailedAt + BACKOFF_MS, "blank sandboxes are backed off");
  }

  #assign({ isolateId, deploymentId }: Effect<"assign">) {
    const process = this.#world.executor.processes.get(isolateId);
    expect(process?.reported === "started" && !process.endAsked, `${isolateId} is blank`);
    expect(process!.deploymentId === undefined, `${isolateId} is assigned once`);
    this.#checkBackoff(deploymentId);
    this.#checkTurn(deploymentId);
  }

  #end({ isolateId, reason }: Effect<"end">) {
    const { executor, time, options } = this.#world;
    const process = executor.processes.get(isolateId);
    expect(process !== undefined && !process.endAsked, `${isolateId} is there to be ended, once`);
    const leases = this.#leases.get(isolateId)!;
    const { workUntilMs, deploymentId } = process!;
    if (reason === "idle" || reason === "evicted") {
      expect(leases.size === 0, `${isolateId} is ended without a lease on it`);
      const spent = this.#clockMs >= this.#lastLeaseAt.get(isolateId)! + options.maxBackgroundMs;
      expect(spent || workUntilMs <= time.nowMs, "its work is done");
    } else if (reason === "retired") {
      const overdue = this.#clockMs >= this.#retiredAt.get(deploymentId!)! + RETIRE_TIMEOUT_MS;
      expect(overdue || leases.size === 0, `${isolateId} retires without a lease on it`);
    }
    leases.clear();
  }

  #grant({ waiter, isolateId }: Effect<"grant">) {
    const { lessee, deploymentId } = this.#answered(waiter);
    expect(this.#ready(isolateId).deploymentId === deploymentId, "each gets what it asked for");
    this.#leases.get(isolateId)!.add(lessee);
    this.#lastLeaseAt.set(isolateId, this.#clockMs);
  }

  #refuse({ waiter, code, retryAfterMs }: Effect<"refuse">) {
    const tooMany = this.#waiters.size >= this.#world.options.maxWaiters;
    const asked = this.#answered(waiter);
    expect(retryAfterMs === undefined || retryAfterMs > 0, "the time to retry is ahead");
    if (code === "OVERLOADED") this.#checkOverload(asked, tooMany);
    else if (code === "DEPLOYMENT_NOT_FOUND") {
      expect(this.#retiredAt.has(asked.deploymentId), "it was retired");
    } else this.#checkBackedOff(asked.deploymentId);
  }

  /** Who is refused for what went wrong before: a boot, or more deaths than are free. */
  #checkBackedOff(deploymentId: string) {
    const deaths = this.#deathsAt.get(deploymentId)?.length ?? 0;
    expect(this.#failedAt.has(deploymentId) || deaths > FREE_DEATHS, "a boot failed before, or many died");
  }

  #answered(waiter: string): Waiter {
    const asked = this.#waiters.get(waiter);
    expect(asked !== undefined, `${waiter} waits for an answer`);
    this.#waiters.delete(waiter);
    return asked!;
  }

  #checkProcesses() {
    const { lifecycle: { isolates }, options: { maxIsolates, maxStarting, warmPool } } = this.#world;
    const processes = this.#processes();
    const programs = processes.filter(({ deploymentId }) => deploymentId !== undefined);
    expect(programs.length <= maxIsolates, "no more isolates than there are places");
    expect(processes.length <= 2 * maxIsolates + warmPool, "blank sandboxes have a bound");
    const starting = processes.filter((process) =>
      process.reported === "nothing" && process.deploymentId === undefined
    );
    expect(starting.length <= maxStarting, "no more starts at one time than allowed");
    const live = new Set<string>();
    for (const { id, deploymentId } of programs) {
      if (isolates.get(id)!.phase === "ending" || this.#retiring.has(id)) continue;
      expect(!live.has(deploymentId!), `"${deploymentId}" has one isolate`);
      live.add(deploymentId!);
    }
  }

  #checkOverload({ askedAtMs, askedAtClockMs, deploymentId }: Waiter, tooMany: boolean) {
    const { time, options, exact, lifecycle } = this.#world;
    if (this.#clockMs - askedAtClockMs < options.queueTimeoutMs) {
      return expect(tooMany, "there is room to wait");
    }
    const programs = this.#processes().filter((process) => process.deploymentId !== undefined);
    const full = programs.length >= options.maxIsolates;
    const blank = [...lifecycle.isolates.values()].some(({ phase }) => phase === "blank");
    expect(full || !blank, `"${deploymentId}" has no place to take`);
    if (!full || !exact || time.nowMs - askedAtMs < EVICTION_MS) return;
    for (const process of programs) {
      expect(this.#idleSince(process) >= askedAtMs, `${process.id} is idle and makes room`);
    }
  }

  /** Of the deployments that wait for a blank sandbox, this one has waited longest. */
  #checkTurn(deploymentId: string) {
    const waiters = [...this.#waiters.values()];
    const live = this.#processes().filter(({ id, endAsked }) => !endAsked && !this.#retiring.has(id));
    const placed = new Set(live.map((process) => process.deploymentId));
    const first = waiters.find((waiter) =>
      !placed.has(waiter.deploymentId) && !waiter.deploymentId.startsWith("tree")
    );
    const own = waiters.find((waiter) => waiter.deploymentId === deploymentId);
    expect(first!.askedAtClockMs === own!.askedAtClockMs, `it is the turn of "${first!.deploymentId}"`);
  }

  #checkBackoff(deploymentId: string) {
    const failedAt = this.#failedAt.get(deploymentId) ?? -Infinity;
    expect(this.#clockMs >= failedAt + BACKOFF_MS, `"${deploymentId}" is backed off`);
    const deathsAt = this.#deathsAt.get(deploymentId) ?? [];
    const [first, last] = [deathsAt.at(-1 - FREE_DEATHS) ?? -Infinity, deathsAt.at(-1) ?? -Infinity];
    const often = last - first < DEATHS_WINDOW_MS;
    expect(!often || this.#clockMs >= last + BACKOFF_MS, `"${deploymentId}" keeps dying and is backed off`);
  }

  #countTick() {
    const second = Math.floor(this.#world.time.nowMs / 1_000);
    if (second !== this.#tickSecond) this.#ticks = 0;
    this.#tickSecond = second;
    const sources = this.#world.options.maxIsolates + this.#world.runners.size;
    expect(++this.#ticks <= TICKS_PER_SECOND * sources, "ticks are rare");
  }

  /** A process that the lifecycle may ask something of. */
  #ready(isolateId: string): SimulatedProcess {
    const process = this.#world.executor.processes.get(isolateId);
    expect(process?.reported === "booted" && !process.endAsked, `${isolateId} is ready`);
    return process!;
  }

  /** Since when an isolate could have been ended, in simulated time. */
  #idleSince({ id, reported, endAsked, gone, workUntilMs }: SimulatedProcess): number {
    const leases = this.#leases.get(id)!;
    const endable = reported === "booted" && !endAsked && !gone && !this.#retiring.has(id);
    if (!endable || leases.size === 0) return Infinity;
    const idle = [...leases].map((lessee) => this.#world.runners.get(lessee)!.idleSince(id) ?? Infinity);
    return Math.max(workUntilMs, ...idle);
  }

  #readClock() {
    this.#clockMs = Math.max(this.#clockMs, this.#world.time.clockMs);
  }

  #processes(): SimulatedProcess[] {
    return [...this.#world.executor.processes.values()];
  }
}

function expect(truth: boolean | undefined, what: string) {
  if (!truth) throw new Error(`Not true: ${what}`);
}
