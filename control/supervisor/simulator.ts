import {
  Lifecycle,
  type LifecycleEffect,
  type LifecycleEvent,
  type LifecycleOptions,
  RETIRE_TIMEOUT_MS,
} from "./lifecycle.ts";
import { SeededRandom } from "./seeded_random.ts";
import { MAX_BOOT_MS, SimulatedExecutor, type SimulatedProcess } from "./simulated_executor.ts";
import { type RunnerMessage, SimulatedRunner, type SupervisorMessage } from "./simulated_runner.ts";
import { SimulatedTime } from "./simulated_time.ts";

/** What happened in one schedule. */
export interface SimulationReport {
  events: number;
  /** Simulated. */
  elapsedMs: number;
  granted: number;
  refused: number;
  /** Isolates that were ended to make room. */
  evicted: number;
}

type Effect<Type extends LifecycleEffect["type"]> = Extract<LifecycleEffect, { type: Type }>;

interface Waiter {
  deploymentId: string;
  askedAtMs: number;
  askedAtClockMs: number;
  answer(isolateId?: string): void;
}

const TRACE_LENGTH = 60;
const MESSAGE_MS = 10;
const STALL_MS = 2_000;
const LOAD_MS = 30_000;
const CLOCK_STEPS = 3;
const MAX_CLOCK_STEP_MS = 4_000;
/** More ticks than this in one simulated second, for each isolate and deployment, is a loop. */
const TICKS_PER_SECOND = 12;
/** Longer than any survey, recall, question and end take together when no answer is lost. */
const EVICTION_MS = 3_000;

/**
 * Runs the supervisor's {@linkcode Lifecycle} against simulated processes and runners, on a schedule that `seed` determines.
 *
 * @throws {Error} with the seed and the last events, when the lifecycle breaks one of its promises
 */
export function simulate(seed: number): SimulationReport {
  const simulation = new Simulation(seed);
  try {
    return simulation.run();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`Seed ${seed}: ${message}\n${simulation.trace()}`, { cause: error });
  }
}

class Simulation {
  readonly #random: SeededRandom;
  readonly #time = new SimulatedTime();
  readonly #options: LifecycleOptions;
  readonly #lifecycle: Lifecycle;
  readonly #executor: SimulatedExecutor;
  readonly #runners = new Map<string, SimulatedRunner>();
  readonly #deployments: string[] = [];
  readonly #answersGetLost: boolean;
  readonly #clockIsSet: boolean;
  /** What a bound may be missed by. While the clock is behind where it was, the lifecycle's time stands still. */
  readonly #slackMs: number;

  readonly #waiters = new Map<string, Waiter>();
  readonly #leases = new Map<string, Set<string>>();
  readonly #lastLeaseAt = new Map<string, number>();
  /** On the wall clock as the lifecycle knows it. */
  readonly #retiredAt = new Map<string, number>();
  /** Isolates of deployments that were retired while they were there. */
  readonly #retiring = new Set<string>();
  readonly #failedAt = new Map<string, number>();
  readonly #channels = new Map<string, number>();
  readonly #trace: string[] = [];
  readonly #report: SimulationReport = { events: 0, elapsedMs: 0, granted: 0, refused: 0, evicted: 0 };
  #startFailedAt = -Infinity;
  #lifecycleClockMs = 0;
  #nextId = 0;
  #tickEpoch = 0;
  #tickSecond = 0;
  #ticks = 0;

  constructor(seed: number) {
    const random = this.#random = new SeededRandom(seed);
    this.#options = {
      maxIsolates: random.between(1, 5),
      warmPool: random.between(0, 2),
      maxStarting: random.between(1, 3),
      queueTimeoutMs: random.between(200, 6_000),
      maxWaiters: random.chance(0.2) ? random.between(1, 3) : 100,
      maxBackgroundMs: random.between(500, 10_000),
    };
    this.#lifecycle = new Lifecycle(this.#options, () => `i${this.#nextId++}`);
    this.#answersGetLost = random.chance(0.3);
    this.#clockIsSet = random.chance(0.2);
    this.#slackMs = 1_000 + (this.#clockIsSet ? CLOCK_STEPS * MAX_CLOCK_STEP_MS : 0);
    const some = (max: number) => random.chance(0.5) ? random.next() * max : 0;
    const faults = {
      startFails: some(0.5),
      bootFails: some(0.5),
      dies: some(0.8),
      answerLost: this.#answersGetLost ? 0.3 : 0,
    };
    this.#executor = new SimulatedExecutor(this.#time, random, faults, (event) => this.#handle(event));
    for (let i = random.between(1, 7); i > 0; i--) this.#deployments.push(this.#newDeployment());
    for (let i = random.between(1, 3); i > 0; i--) this.#addRunner(`r${i}`, some(0.1));
  }

  run(): SimulationReport {
    this.#handle({ type: "tick" });
    this.#scheduleLoad();
    while (this.#time.advance()) {
      this.#expect(this.#report.events < 100_000, "it comes to an end");
    }
    this.#checkRest();
    return { ...this.#report, elapsedMs: this.#time.nowMs };
  }

  trace(): string {
    return `${JSON.stringify(this.#options)}\n${this.#trace.join("\n")}`;
  }

  // The world

  #newDeployment(): string {
    return `${this.#random.chance(0.2) ? "tree" : "d"}${this.#nextId++}`;
  }

  #addRunner(id: string, brokenChance: number) {
    const runner = new SimulatedRunner({
      time: this.#time,
      random: this.#random,
      idleTimeoutMs: this.#random.between(100, 8_000),
      maxRequestMs: this.#random.between(10, 3_000),
      brokenChance,
      send: (message) => this.#deliver(`from ${id}`, () => this.#fromRunner(id, message)),
      onServed: (isolateId) => {
        const process = this.#executor.processes.get(isolateId);
        if (process && this.#random.chance(0.2)) {
          process.workUntilMs = this.#time.nowMs + this.#random.between(1, 10_000);
        }
      },
    });
    this.#runners.set(id, runner);
  }

  #scheduleLoad() {
    const meanGapMs = this.#random.between(20, 2_000);
    const favourite = this.#random.pick(this.#deployments);
    for (let atMs = 0; atMs < LOAD_MS; atMs += this.#random.between(1, meanGapMs * 2)) {
      this.#time.after(atMs, () => {
        const deploymentId = this.#random.chance(0.3) ? favourite : this.#random.pick(this.#deployments);
        const burst = this.#random.chance(0.1) ? 5 : 1;
        for (let i = 0; i < burst; i++) this.#random.pick([...this.#runners.values()]).request(deploymentId);
      });
    }
    for (let i = this.#random.between(0, 3); i > 0; i--) {
      this.#time.after(this.#random.between(0, LOAD_MS), () => this.#retireOne());
    }
    for (let i = this.#clockIsSet ? CLOCK_STEPS : 0; i > 0; i--) {
      this.#time.after(
        this.#random.between(0, LOAD_MS),
        () => this.#time.setClock(this.#random.between(-MAX_CLOCK_STEP_MS, MAX_CLOCK_STEP_MS)),
      );
    }
    this.#time.after(LOAD_MS, () => this.#executor.calm = true);
  }

  #retireOne() {
    const index = this.#random.between(0, this.#deployments.length - 1);
    const deploymentId = this.#deployments[index]!;
    this.#deployments[index] = this.#newDeployment();
    const early = this.#processes().filter((process) => process.deploymentId === deploymentId);
    this.#failedAt.delete(deploymentId);
    for (const { id } of early) this.#retiring.add(id);
    this.#handle({ type: "retire", deploymentId });
    this.#retiredAt.set(deploymentId, this.#lifecycleClockMs);
    this.#time.after(RETIRE_TIMEOUT_MS + MAX_BOOT_MS + this.#slackMs, () => {
      for (const { gone, id } of early) this.#expect(gone, `${id} of the retired ${deploymentId} is ended`);
    });
  }

  /** Messages between a runner and the supervisor keep their order. */
  #deliver(channel: string, run: () => void) {
    const stalled = this.#answersGetLost && this.#random.chance(0.02);
    const delayMs = this.#random.between(1, stalled ? STALL_MS : MESSAGE_MS);
    const atMs = Math.max(this.#channels.get(channel) ?? 0, this.#time.nowMs + delayMs);
    this.#channels.set(channel, atMs);
    this.#time.after(atMs - this.#time.nowMs, run);
  }

  #toRunner(id: string, message: SupervisorMessage) {
    this.#deliver(`to ${id}`, () => this.#runners.get(id)!.receive(message));
  }

  #fromRunner(lessee: string, message: RunnerMessage) {
    if (message.type === "acquire") return this.#acquire(lessee, message);
    const { isolateId } = message;
    if (message.type === "busy") return this.#handle({ type: "busy", isolateId, lessee });
    this.#leases.get(isolateId)?.delete(lessee);
    this.#lastLeaseAt.set(isolateId, Math.max(this.#lifecycleClockMs, this.#time.clockMs));
    this.#handle({ type: message.type === "release" ? "released" : "broken", isolateId, lessee });
  }

  #acquire(lessee: string, { requestId, deploymentId }: Extract<RunnerMessage, { type: "acquire" }>) {
    const waiter = `w${this.#nextId++}`;
    const { nowMs, clockMs } = this.#time;
    this.#waiters.set(waiter, {
      deploymentId,
      askedAtMs: nowMs,
      askedAtClockMs: Math.max(clockMs, this.#lifecycleClockMs),
      answer: (isolateId) => {
        if (isolateId !== undefined) this.#leases.get(isolateId)!.add(lessee);
        this.#toRunner(lessee, { type: "acquired", requestId, isolateId });
      },
    });
    const boundMs = this.#options.queueTimeoutMs + MAX_BOOT_MS + this.#slackMs;
    this.#time.after(boundMs, () => {
      this.#expect(!this.#waiters.has(waiter), `${waiter} is answered within ${boundMs}ms`);
    });
    const tree = deploymentId.startsWith("tree");
    this.#handle({ type: "acquire", waiter, lessee, deploymentId, tree });
  }

  // The supervisor

  #handle(event: LifecycleEvent) {
    this.#report.events++;
    const { clockMs } = this.#time;
    if (event.type === "ended") this.#forget(event.isolateId, event.code !== undefined);
    const effects = this.#lifecycle.handle(event, clockMs);
    this.#lifecycleClockMs = Math.max(this.#lifecycleClockMs, clockMs);
    this.#trace.push(`${this.#time.nowMs} ${JSON.stringify(event)} -> ${JSON.stringify(effects)}`);
    if (this.#trace.length > TRACE_LENGTH) this.#trace.shift();
    for (const effect of effects) this.#execute(effect);
    if (event.type === "tick") this.#countTick();
    this.#checkState();
    this.#armTick();
  }

  #armTick() {
    const next = this.#lifecycle.nextTickAt();
    this.#expect(next > this.#lifecycleClockMs, "what is due now is done now");
    const epoch = ++this.#tickEpoch;
    if (next === Infinity) return;
    this.#time.after(Math.max(1, next - this.#time.clockMs), () => {
      if (epoch === this.#tickEpoch) this.#handle({ type: "tick" });
    });
  }

  #forget(isolateId: string, unasked: boolean) {
    const phase = this.#lifecycle.isolates.get(isolateId)?.phase;
    const { deploymentId } = this.#lifecycle.isolates.get(isolateId)!;
    const clockMs = Math.max(this.#lifecycleClockMs, this.#time.clockMs);
    if (deploymentId === undefined) this.#startFailedAt = clockMs;
    else if (unasked && (phase === "booting" || phase === "starting")) {
      this.#failedAt.set(deploymentId, clockMs);
    }
    this.#leases.delete(isolateId);
    for (const id of this.#runners.keys()) this.#toRunner(id, { type: "ended", isolateId });
  }

  #execute(effect: LifecycleEffect) {
    switch (effect.type) {
      case "start":
        return this.#start(effect);
      case "assign":
        return this.#assign(effect);
      case "end":
        return this.#end(effect);
      case "recall":
        this.#expect(
          this.#leases.get(effect.isolateId)?.has(effect.lessee),
          "only a lessee is asked for a lease",
        );
        return this.#toRunner(effect.lessee, { type: "recall", isolateId: effect.isolateId });
      case "askPending":
        return this.#executor.askPending(this.#serving(effect.isolateId));
      case "survey":
        return this.#survey();
      case "grant":
        return this.#grant(effect);
      case "refuse":
        return this.#refuse(effect);
    }
  }

  #start({ isolateId, deploymentId }: Effect<"start">) {
    this.#expect(!this.#leases.has(isolateId), "an isolate's id is new");
    this.#leases.set(isolateId, new Set());
    if (deploymentId !== undefined) this.#checkBackoff(deploymentId);
    else {this.#expect(
        this.#lifecycleClockMs >= this.#startFailedAt + 1_000,
        "blank sandboxes are backed off",
      );}
    this.#executor.start(isolateId, deploymentId);
  }

  #assign({ isolateId, deploymentId }: Effect<"assign">) {
    const process = this.#executor.processes.get(isolateId);
    this.#expect(process?.reported === "started" && !process.endAsked, `${isolateId} is blank`);
    this.#expect(process!.deploymentId === undefined, `${isolateId} is assigned once`);
    this.#checkBackoff(deploymentId);
    this.#checkTurn(deploymentId);
    process!.deploymentId = deploymentId;
    this.#executor.boot(process!);
  }

  #end({ isolateId, reason }: Effect<"end">) {
    const process = this.#executor.processes.get(isolateId);
    this.#expect(process !== undefined && !process.endAsked, `${isolateId} is there to be ended, once`);
    const leases = this.#leases.get(isolateId)!;
    const { workUntilMs, deploymentId } = process!;
    if (reason === "idle" || reason === "evicted") {
      this.#expect(leases.size === 0, `${isolateId} is ended without a lease on it`);
      const spentAt = this.#lastLeaseAt.get(isolateId)! + this.#options.maxBackgroundMs;
      this.#expect(workUntilMs <= this.#time.nowMs || this.#lifecycleClockMs >= spentAt, "its work is done");
    } else if (reason === "retired") {
      const retiredAt = this.#retiredAt.get(deploymentId!) ?? this.#lifecycleClockMs;
      const overdue = this.#lifecycleClockMs >= retiredAt + RETIRE_TIMEOUT_MS;
      this.#expect(leases.size === 0 || overdue, `${isolateId} retires without a lease on it`);
    }
    if (reason === "evicted") this.#report.evicted++;
    leases.clear();
    this.#executor.end(process!);
  }

  #survey() {
    if (this.#answersGetLost && this.#random.chance(0.1)) return;
    this.#time.after(this.#random.between(1, 50), () => {
      const lastActiveAt = new Map<string, number>();
      for (const { id } of this.#processes()) {
        const times = [...this.#runners.values()].map((runner) => runner.lastActiveAt(id) ?? 0);
        if (Math.max(...times) > 0) lastActiveAt.set(id, Math.max(...times));
      }
      this.#handle({ type: "surveyed", lastActiveAt });
    });
  }

  #grant({ waiter, isolateId }: Effect<"grant">) {
    const process = this.#serving(isolateId);
    this.#expect(
      process.deploymentId === this.#waiters.get(waiter)?.deploymentId,
      "each gets what it asked for",
    );
    this.#lastLeaseAt.set(isolateId, this.#lifecycleClockMs);
    this.#report.granted++;
    this.#answer(waiter, isolateId);
  }

  #refuse({ waiter, code, retryAfterMs }: Effect<"refuse">) {
    const asked = this.#waiters.get(waiter);
    this.#expect(asked !== undefined, `${waiter} waits for an answer`);
    this.#expect(retryAfterMs === undefined || retryAfterMs > 0, "the time to retry is ahead");
    if (code === "OVERLOADED") this.#checkOverload(asked!);
    else if (code === "DEPLOYMENT_NOT_FOUND") {
      this.#expect(!this.#deployments.includes(asked!.deploymentId), "gone");
    } else this.#expect(this.#failedAt.has(asked!.deploymentId), "a boot failed before");
    this.#report.refused++;
    this.#answer(waiter);
  }

  #answer(waiter: string, isolateId?: string) {
    const { answer } = this.#waiters.get(waiter)!;
    this.#waiters.delete(waiter);
    answer(isolateId);
  }

  // What must be true

  #checkState() {
    const { isolates, waiting } = this.#lifecycle;
    this.#expect(isolates.size === this.#executor.processes.size, "every process is known, and no other");
    this.#expect(waiting === this.#waiters.size, `${waiting} wait for an answer`);
    this.#expect(waiting <= this.#options.maxWaiters, "no more wait than may");
    const processes = this.#processes();
    const programs = processes.filter(({ deploymentId }) => deploymentId !== undefined);
    this.#expect(programs.length <= this.#options.maxIsolates, "no more isolates than there are places");
    const live = new Set<string>();
    for (const { id, deploymentId } of programs) {
      if (isolates.get(id)!.phase === "ending" || this.#retiring.has(id)) continue;
      this.#expect(!live.has(deploymentId!), `${deploymentId} has one isolate`);
      live.add(deploymentId!);
    }
    const starting = processes.filter(({ reported, deploymentId }) =>
      reported === "nothing" && deploymentId === undefined
    );
    this.#expect(starting.length <= this.#options.maxStarting, "no more starts at one time than allowed");
    const { maxIsolates, warmPool } = this.#options;
    this.#expect(processes.length <= 2 * maxIsolates + warmPool, "blank sandboxes have a bound");
  }

  #checkOverload({ askedAtMs, askedAtClockMs, deploymentId }: Waiter) {
    const waitedMs = this.#lifecycleClockMs - askedAtClockMs;
    if (waitedMs < this.#options.queueTimeoutMs) {
      this.#expect(this.#waiters.size >= this.#options.maxWaiters, "there is room to wait");
      return;
    }
    const places = this.#processes().filter((process) => process.deploymentId !== undefined).length;
    const blank = [...this.#lifecycle.isolates.values()].some(({ phase }) => phase === "blank");
    this.#expect(places >= this.#options.maxIsolates || !blank, `${deploymentId} has no place to take`);
    if (places < this.#options.maxIsolates || this.#answersGetLost || this.#clockIsSet) return;
    if (this.#time.nowMs - askedAtMs < EVICTION_MS) return;
    for (const process of this.#processes()) {
      const idle = this.#idleSince(process) < askedAtMs;
      this.#expect(!idle, `${process.id} is idle and makes room`);
    }
  }

  /** Of the deployments that wait for a blank sandbox, this one has waited longest. */
  #checkTurn(deploymentId: string) {
    const placed = new Set(
      this.#processes().filter(({ id, endAsked }) => !endAsked && !this.#retiring.has(id)).map((process) =>
        process.deploymentId
      ),
    );
    const first = [...this.#waiters.values()].find((waiter) =>
      !placed.has(waiter.deploymentId) && !waiter.deploymentId.startsWith("tree")
    );
    const same = [...this.#waiters.values()].find((waiter) => waiter.deploymentId === deploymentId);
    this.#expect(first!.askedAtClockMs === same!.askedAtClockMs, `it is the turn of ${first!.deploymentId}`);
  }

  #checkBackoff(deploymentId: string) {
    const failedAt = this.#failedAt.get(deploymentId) ?? -Infinity;
    this.#expect(this.#lifecycleClockMs >= failedAt + 1_000, `${deploymentId} is backed off`);
  }

  #checkRest() {
    this.#expect(this.#waiters.size === 0, "nobody waits");
    this.#expect([...this.#runners.values()].every(({ quiet }) => quiet), "every request has an end");
    const processes = this.#processes();
    this.#expect(processes.every(({ deploymentId }) => deploymentId === undefined), "no program is left");
    this.#expect(processes.length >= this.#options.warmPool, "the pool is full");
    this.#expect(this.#lifecycle.nextTickAt() === Infinity, "nothing is remembered for ever");
  }

  #countTick() {
    const second = Math.floor(this.#time.nowMs / 1_000);
    if (second !== this.#tickSecond) this.#ticks = 0;
    this.#tickSecond = second;
    const sources = this.#deployments.length + this.#options.maxIsolates + this.#runners.size;
    this.#expect(++this.#ticks <= TICKS_PER_SECOND * sources, "ticks are rare");
  }

  /** A process that the lifecycle may ask something of. */
  #serving(isolateId: string): SimulatedProcess {
    const process = this.#executor.processes.get(isolateId);
    this.#expect(process?.reported === "booted" && !process.endAsked, `${isolateId} is ready`);
    return process!;
  }

  /** Since when an isolate could have been ended, in simulated time. */
  #idleSince({ id, reported, endAsked, gone, workUntilMs }: SimulatedProcess): number {
    const leases = this.#leases.get(id)!;
    if (reported !== "booted" || endAsked || gone || leases.size === 0) return Infinity;
    if (this.#retiring.has(id)) return Infinity;
    const times = [...leases].map((lessee) => this.#runners.get(lessee)!.idleSince(id) ?? Infinity);
    return Math.max(workUntilMs, ...times);
  }

  #processes(): SimulatedProcess[] {
    return [...this.#executor.processes.values()];
  }

  #expect(truth: boolean | undefined, what: string) {
    if (!truth) throw new Error(`Not true: ${what}`);
  }
}
