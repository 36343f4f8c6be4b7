import type { SeededRandom } from "../../../tests/seeded_random.ts";
import type { SimulatedTime } from "./simulated_time.ts";

/** What a simulated runner tells the supervisor: the messages of `runner/contract.ts` that concern isolates. */
export type RunnerMessage =
  | { type: "acquire"; requestId: number; deploymentId: string }
  | { type: "release" | "busy" | "broken"; isolateId: string };

/** What the supervisor tells a simulated runner; `acquired` without an isolate is an error. */
export type SupervisorMessage =
  | { type: "acquired"; requestId: number; isolateId?: string }
  | { type: "recall" | "ended"; isolateId: string };

/** What a simulated runner needs of its surroundings. */
export interface SimulatedRunnerOptions {
  time: SimulatedTime;
  random: SeededRandom;
  idleTimeoutMs: number;
  maxRequestMs: number;
  /** Of finding a held isolate unusable, for each request. */
  brokenChance: number;
  send(message: RunnerMessage): void;
  /** A request passed through the isolate. */
  onServed(isolateId: string): void;
}

/** What a runner holds of one deployment. */
interface Use {
  isolateId?: string;
  acquiring?: number;
  /** Requests that wait for the isolate. */
  waiting: number;
  inFlight: number;
  lastActiveAtMs: number;
}

/** A data plane as its contract describes it: one acquire at a time, release when idle, an answer to every recall. */
export class SimulatedRunner {
  readonly #options: SimulatedRunnerOptions;
  readonly #uses = new Map<string, Use>();
  #nextRequestId = 0;

  constructor(options: SimulatedRunnerOptions) {
    this.#options = options;
  }

  /** When it last used an isolate, on the wall clock; `undefined` when it does not hold it. */
  lastActiveAt(isolateId: string): number | undefined {
    const use = this.#holding(isolateId);
    const { time } = this.#options;
    if (use === undefined) return undefined;
    return use.inFlight > 0 ? time.clockMs : time.clockMs - (time.nowMs - use.lastActiveAtMs);
  }

  /** Since when nothing was in flight in an isolate, in simulated time; `undefined` when it is in use or not held. */
  idleSince(isolateId: string): number | undefined {
    const use = this.#holding(isolateId);
    return use === undefined || use.inFlight > 0 ? undefined : use.lastActiveAtMs;
  }

  holds(isolateId: string): boolean {
    return this.#holding(isolateId) !== undefined;
  }

  /** Waits for nothing and has nothing in flight. */
  get quiet(): boolean {
    return [...this.#uses.values()].every((use) => use.acquiring === undefined && use.inFlight === 0);
  }

  /** A visitor's request arrives. */
  request(deploymentId: string): void {
    let use = this.#uses.get(deploymentId);
    if (use === undefined) this.#uses.set(deploymentId, use = { waiting: 0, inFlight: 0, lastActiveAtMs: 0 });
    if (use.isolateId !== undefined) return this.#serve(use);
    use.waiting++;
    if (use.acquiring !== undefined) return;
    use.acquiring = this.#nextRequestId++;
    this.#options.send({ type: "acquire", requestId: use.acquiring, deploymentId });
  }

  receive(message: SupervisorMessage): void {
    if (message.type === "acquired") return this.#acquired(message);
    const use = this.#holding(message.isolateId);
    if (use === undefined) return; // Given back meanwhile.
    if (message.type === "ended") this.#letGo(use);
    else if (use.inFlight > 0) this.#options.send({ type: "busy", isolateId: message.isolateId });
    else this.#giveBack(use, "release");
  }

  #acquired({ requestId, isolateId }: Extract<SupervisorMessage, { type: "acquired" }>) {
    const use = [...this.#uses.values()].find(({ acquiring }) => acquiring === requestId)!;
    use.acquiring = undefined;
    const { waiting } = use;
    use.waiting = 0;
    if (isolateId === undefined) return;
    use.isolateId = isolateId;
    for (let i = 0; i < waiting && use.isolateId === isolateId; i++) this.#serve(use);
  }

  #serve(use: Use) {
    const { random, time, maxRequestMs, brokenChance } = this.#options;
    const { isolateId } = use;
    if (random.chance(brokenChance)) return this.#giveBack(use, "broken");
    use.inFlight++;
    use.lastActiveAtMs = time.nowMs;
    time.after(random.between(1, maxRequestMs), () => {
      if (use.isolateId !== isolateId) return; // Ended with its isolate.
      this.#options.onServed(isolateId!);
      use.inFlight--;
      use.lastActiveAtMs = time.nowMs;
      this.#watchIdle(use);
    });
  }

  #watchIdle(use: Use) {
    const { isolateId, lastActiveAtMs } = use;
    this.#options.time.after(this.#options.idleTimeoutMs, () => {
      const unused = use.isolateId === isolateId && use.lastActiveAtMs === lastActiveAtMs;
      if (unused && use.inFlight === 0) this.#giveBack(use, "release");
    });
  }

  #giveBack(use: Use, type: "release" | "broken") {
    const isolateId = use.isolateId!;
    this.#letGo(use);
    this.#options.send({ type, isolateId });
  }

  #letGo(use: Use) {
    use.isolateId = undefined;
    use.inFlight = 0;
  }

  #holding(isolateId: string): Use | undefined {
    for (const use of this.#uses.values()) if (use.isolateId === isolateId) return use;
  }
}
