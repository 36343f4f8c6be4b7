import type { ErrorCode } from "../../../runner/mod.ts";
import type { LifecycleEvent } from "../lifecycle_events.ts";
import type { SeededRandom } from "../../../tests/seeded_random.ts";
import type { SimulatedTime } from "./simulated_time.ts";

/** How unlucky a schedule is; chances are of one occasion. */
export interface Faults {
  startFails: number;
  bootFails: number;
  /** Of a process, to end by itself at some time. */
  dies: number;
  /** Of a process, to use more than it may at some time. */
  exceeds: number;
  /** The longest life of a process that does either. */
  maxLifeMs: number;
  /** Of a question, never to be answered. */
  answerLost: number;
}

/** A process that is not there. */
export interface SimulatedProcess {
  readonly id: string;
  readonly startedAtMs: number;
  deploymentId?: string;
  /** What the supervisor was told of it. */
  reported: "nothing" | "started" | "booted";
  endAsked: boolean;
  exceeded?: ErrorCode;
  gone: boolean;
  /** Its background work goes on until then, in simulated time. */
  workUntilMs: number;
}

const START_MS = 300;
/** The longest simulated boot. */
export const MAX_BOOT_MS = 2_000;
const END_MS = 100;

/** Carries out the effects on processes, as slowly and as badly as chance has it. */
export class SimulatedExecutor {
  readonly processes = new Map<string, SimulatedProcess>();
  /** Nothing fails from now on. */
  calm = false;
  readonly #time: SimulatedTime;
  readonly #random: SeededRandom;
  readonly #faults: Faults;
  readonly #report: (event: LifecycleEvent) => void;

  constructor(
    time: SimulatedTime,
    random: SeededRandom,
    faults: Faults,
    report: (event: LifecycleEvent) => void,
  ) {
    this.#time = time;
    this.#random = random;
    this.#faults = faults;
    this.#report = report;
  }

  start(id: string, deploymentId?: string): void {
    const process: SimulatedProcess = {
      id,
      startedAtMs: this.#time.nowMs,
      deploymentId,
      reported: "nothing",
      endAsked: false,
      gone: false,
      workUntilMs: 0,
    };
    this.processes.set(id, process);
    if (this.#unlucky("dies")) {
      this.#later(this.#faults.maxLifeMs, process, () => this.#vanish(process, "ISOLATE_CRASHED"));
    }
    if (this.#unlucky("exceeds")) this.#later(this.#faults.maxLifeMs, process, () => this.#exceed(process));
    this.#later(START_MS, process, () => {
      if (this.#unlucky("startFails")) return this.#vanish(process, "BOOT_FAILURE");
      process.reported = "started";
      this.#report({ type: "started", isolateId: id });
      if (deploymentId !== undefined) this.#boot(process);
    });
  }

  assign(id: string, deploymentId: string): void {
    const process = this.processes.get(id)!;
    process.deploymentId = deploymentId;
    this.#boot(process);
  }

  #boot(process: SimulatedProcess) {
    this.#later(this.#random.chance(0.1) ? MAX_BOOT_MS : 100, process, () => {
      if (this.#unlucky("bootFails")) {
        return this.#vanish(process, this.#random.pick(["BOOT_FAILURE", "BOOT_TIMEOUT"]));
      }
      process.reported = "booted";
      this.#report({ type: "booted", isolateId: process.id });
    });
  }

  /** A process that is still being started cannot be ended: it is asked for again. */
  end(id: string): void {
    const process = this.processes.get(id)!;
    if (process.reported === "nothing") return;
    process.endAsked = true;
    this.#later(END_MS, process, () => this.#vanish(process, process.exceeded));
  }

  /** Asks how much background work is unfinished; what it answers was true when the question was half way. */
  askPending(id: string): void {
    const process = this.processes.get(id)!;
    if (this.#unlucky("answerLost")) return;
    this.#later(20, process, () => {
      const count = process.workUntilMs > this.#time.nowMs ? 1 : 0;
      this.#later(this.#random.chance(0.1) ? 1_000 : 20, process, () => {
        this.#report({ type: "pending", isolateId: process.id, count });
      });
    });
  }

  #exceed(process: SimulatedProcess) {
    if (process.deploymentId === undefined || process.reported === "nothing" || process.endAsked) return;
    const code = this.#random.pick(["MEMORY_LIMIT", "TIME_LIMIT"] as const);
    process.exceeded = code;
    this.#report({ type: "exceeded", isolateId: process.id, code });
  }

  #vanish(process: SimulatedProcess, code?: ErrorCode) {
    process.gone = true;
    this.#later(20, undefined, () => {
      this.processes.delete(process.id);
      this.#report({ type: "ended", isolateId: process.id, code });
    });
  }

  #unlucky(fault: Exclude<keyof Faults, "maxLifeMs">): boolean {
    return !this.calm && this.#random.chance(this.#faults[fault]);
  }

  #later(maxMs: number, process: SimulatedProcess | undefined, run: () => void) {
    this.#time.after(this.#random.between(1, maxMs), () => {
      if (!process?.gone) run();
    });
  }
}
