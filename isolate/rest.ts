import type { SandboxUsage } from "./carrier.ts";

/** How long a process has used next to no CPU when it is at rest. */
export const REST_MS = 5_000;
/** What timers, the event loop and the clock's ticks may use of it meanwhile. */
export const RESTING_CPU_MS = 30;
/** How long a collection may take until what it has freed is returned, by one more signal. */
const COLLECT_MS = 1_000;
/** By how much a process has grown since when it is worth another collection. */
export const GROWTH_BYTES = 1024 ** 2;
/** Of each program's memory: collecting more would take longer than a visitor should wait who comes just then. */
export const MAX_COLLECTED_BYTES = 128 * 1024 ** 2;

type State = "active" | "collecting" | "returning" | "rested";

/** Decides when a process that is at rest gives back memory: once, until it has grown again. Holds no clock. */
export class Rest {
  #state: State = "active";
  /** Of the state or, while it is active, of when it was last seen to be. */
  #sinceMs = -Infinity;
  #cpuMs = -Infinity;
  #leastBytes = 0;

  /** What was measured at `nowMs`, for so many programs. True = it is to get `REST_SIGNAL`. */
  look(nowMs: number, { cpuMs, memoryBytes }: SandboxUsage, programs = 1): boolean {
    const state = this.#state;
    const next = this.#next(nowMs - this.#sinceMs, cpuMs - this.#cpuMs, memoryBytes, programs);
    if (next === undefined) return false;
    this.#state = next;
    this.#sinceMs = nowMs;
    this.#cpuMs = cpuMs;
    if (next === "rested") this.#leastBytes = memoryBytes;
    return next !== state && (next === "collecting" || next === "returning");
  }

  /** The state that it enters, again or anew. */
  #next(elapsedMs: number, usedMs: number, memoryBytes: number, programs: number): State | undefined {
    switch (this.#state) {
      case "rested":
        return memoryBytes >= this.#leastBytes + GROWTH_BYTES ? "active" : undefined;
      case "active":
        if (usedMs >= RESTING_CPU_MS) return "active";
        if (memoryBytes / programs > MAX_COLLECTED_BYTES) return undefined;
        return elapsedMs >= REST_MS ? "collecting" : undefined;
      case "collecting":
        return elapsedMs >= COLLECT_MS ? "returning" : undefined;
      case "returning":
        return elapsedMs >= COLLECT_MS ? "rested" : undefined;
    }
  }
}
