import { Lifecycle, type LifecycleOptions } from "../lifecycle.ts";
import type { LifecycleEffect, LifecycleEvent } from "../lifecycle_events.ts";
import { SeededRandom } from "../../../tests/seeded_random.ts";
import { SimulatedExecutor } from "./simulated_executor.ts";
import { type RunnerMessage, SimulatedRunner, type SupervisorMessage } from "./simulated_runner.ts";
import { SimulatedTime } from "./simulated_time.ts";
import { SimulationAudit } from "./simulation_audit.ts";

/** What happened in one schedule. */
export interface SimulationReport {
  events: number;
  /** Simulated. */
  elapsedMs: number;
  granted: number;
  refused: number;
  /** Isolates that were ended to make room. */
  evicted: number;
  /** Refused because the deployment's isolates keep dying. */
  backedOff: number;
}

const MAX_EVENTS = 100_000;
const TRACE_LENGTH = 60;
const MESSAGE_MS = 10;
const STALL_MS = 2_000;
const SURVEY_MS = 50;
const LOAD_MS = 30_000;
const MAX_WORK_MS = 10_000;
const CLOCK_STEPS = 3;
const MAX_CLOCK_STEP_MS = 4_000;

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
  readonly #audit: SimulationAudit;
  readonly #runners = new Map<string, SimulatedRunner>();
  readonly #deployments: string[] = [];
  readonly #answersGetLost: boolean;
  readonly #clockIsSet: boolean;
  readonly #answers = new Map<string, (isolateId?: string) => void>();
  /** When the last message of each channel arrives. */
  readonly #channels = new Map<string, number>();
  readonly #trace: string[] = [];
  readonly #report: SimulationReport = {
    events: 0,
    elapsedMs: 0,
    granted: 0,
    refused: 0,
    evicted: 0,
    backedOff: 0,
  };
  #nextId = 0;
  #tickEpoch = 0;

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
    const some = (max: number) => random.chance(0.5) ? random.between(0, 1000) * max / 1000 : 0;
    const faults = {
      startFails: some(0.5),
      bootFails: some(0.5),
      dies: some(0.8),
      exceeds: some(0.8),
      maxLifeMs: random.pick([200, 2_000, 20_000]),
      answerLost: this.#answersGetLost ? 0.3 : 0,
    };
    this.#executor = new SimulatedExecutor(this.#time, random, faults, (event) => this.#handle(event));
    this.#audit = new SimulationAudit({
      options: this.#options,
      lifecycle: this.#lifecycle,
      time: this.#time,
      executor: this.#executor,
      runners: this.#runners,
      slackMs: 1_000 + (this.#clockIsSet ? CLOCK_STEPS * MAX_CLOCK_STEP_MS : 0),
      exact: !this.#answersGetLost && !this.#clockIsSet,
    });
    for (let i = random.between(1, 7); i > 0; i--) this.#deployments.push(this.#newDeployment());
    for (let i = random.between(1, 3); i > 0; i--) this.#addRunner(`r${i}`, some(0.1));
  }

  run(): SimulationReport {
    this.#handle({ type: "tick" });
    this.#scheduleLoad();
    this.#scheduleTrouble();
    while (this.#time.advance()) {
      if (this.#report.events > MAX_EVENTS) throw new Error("Not true: it comes to an end");
    }
    this.#audit.rested();
    return { ...this.#report, elapsedMs: this.#time.nowMs };
  }

  trace(): string {
    return `${JSON.stringify(this.#options)}\n${this.#trace.join("\n")}`;
  }

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
          process.workUntilMs = this.#time.nowMs + this.#random.between(1, MAX_WORK_MS);
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
  }

  #scheduleTrouble() {
    const sometime = (run: () => void) => this.#time.after(this.#random.between(0, LOAD_MS), run);
    for (let i = this.#random.between(0, 3); i > 0; i--) sometime(() => this.#retire());
    for (let i = this.#clockIsSet ? CLOCK_STEPS : 0; i > 0; i--) {
      sometime(() => this.#time.setClock(this.#random.between(-MAX_CLOCK_STEP_MS, MAX_CLOCK_STEP_MS)));
    }
    this.#time.after(LOAD_MS, () => this.#executor.calm = true);
  }

  #retire() {
    const index = this.#random.between(0, this.#deployments.length - 1);
    const deploymentId = this.#deployments[index]!;
    this.#deployments[index] = this.#newDeployment();
    this.#audit.retired(deploymentId);
    this.#handle({ type: "retire", deploymentId });
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
    this.#audit.returned(isolateId, lessee);
    if (message.type === "release") return this.#handle({ type: "released", isolateId, lessee });
    this.#handle({ type: "broken", isolateId, lessee, code: "BAD_RESPONSE" });
  }

  #acquire(lessee: string, { requestId, deploymentId }: Extract<RunnerMessage, { type: "acquire" }>) {
    const waiter = `w${this.#nextId++}`;
    this.#answers.set(
      waiter,
      (isolateId) => this.#toRunner(lessee, { type: "acquired", requestId, isolateId }),
    );
    this.#audit.asked(waiter, lessee, deploymentId);
    this.#handle({ type: "acquire", waiter, lessee, deploymentId, tree: deploymentId.startsWith("tree") });
  }

  #handle(event: LifecycleEvent) {
    this.#report.events++;
    if (event.type === "ended") this.#announceEnd(event.isolateId, event.code !== undefined);
    if (event.type === "broken") this.#audit.lost(event.isolateId);
    if (event.type === "exceeded") this.#audit.exceeded(event.isolateId);
    const effects = this.#lifecycle.handle(event, this.#time.clockMs);
    this.#trace.push(`${this.#time.nowMs} ${JSON.stringify(event)} -> ${JSON.stringify(effects)}`);
    if (this.#trace.length > TRACE_LENGTH) this.#trace.shift();
    for (const effect of effects) {
      this.#audit.wanted(effect);
      this.#execute(effect);
    }
    this.#audit.settled(event);
    this.#armTick();
  }

  #announceEnd(isolateId: string, unasked: boolean) {
    this.#audit.ended(isolateId, unasked);
    for (const id of this.#runners.keys()) this.#toRunner(id, { type: "ended", isolateId });
  }

  #armTick() {
    const next = this.#lifecycle.nextTickAt();
    const epoch = ++this.#tickEpoch;
    if (next === Infinity) return;
    this.#time.after(Math.max(1, next - this.#time.clockMs), () => {
      if (epoch === this.#tickEpoch) this.#handle({ type: "tick" });
    });
  }

  #execute(effect: LifecycleEffect) {
    switch (effect.type) {
      case "start":
        return this.#executor.start(effect.isolateId, effect.deploymentId);
      case "assign":
        return this.#executor.assign(effect.isolateId, effect.deploymentId);
      case "end":
        if (effect.reason === "evicted") this.#report.evicted++;
        return this.#executor.end(effect.isolateId);
      case "recall":
        return this.#toRunner(effect.lessee, { type: "recall", isolateId: effect.isolateId });
      case "askPending":
        return this.#executor.askPending(effect.isolateId);
      case "survey":
        return this.#survey();
      case "grant":
        this.#report.granted++;
        return this.#answer(effect.waiter, effect.isolateId);
      case "refuse":
        this.#report.refused++;
        if (effect.code === "MEMORY_LIMIT" || effect.code === "ISOLATE_CRASHED") this.#report.backedOff++;
        return this.#answer(effect.waiter);
    }
  }

  #answer(waiter: string, isolateId?: string) {
    this.#answers.get(waiter)!(isolateId);
    this.#answers.delete(waiter);
  }

  #survey() {
    if (this.#answersGetLost && this.#random.chance(0.1)) return;
    this.#time.after(this.#random.between(1, SURVEY_MS), () => {
      const lastActiveAt = new Map<string, number>();
      for (const id of this.#executor.processes.keys()) {
        const times = [...this.#runners.values()].map((runner) => runner.lastActiveAt(id) ?? 0);
        if (Math.max(...times) > 0) lastActiveAt.set(id, Math.max(...times));
      }
      this.#handle({ type: "surveyed", lastActiveAt });
    });
  }
}
