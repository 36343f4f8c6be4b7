import type { Limits } from "../model.ts";
import { CpuWindow } from "./cpu_window.ts";

/** How often isolates are looked at. */
export const WATCH_INTERVAL_MS = 100;
/** CPU time between two looks from which an isolate is active. */
export const ACTIVE_CPU_MS = 10;
/** One that is not active, and has no request in flight, is measured in one of so many looks. */
export const QUIET_LOOKS = 3;
/** Isolates that wait, with requests in flight and no use of CPU, asked at one look; the others have their turn later. */
export const MAX_QUIET_PROBES = 32;
/** A look counts as at most so long after the one before: who looks may be held up as well. */
const MAX_LOOK_MS = 2 * WATCH_INTERVAL_MS;
/** However starved it is, an isolate answers within so many times its limit… */
const MAX_STARVED_FACTOR = 10;
/** …and not later than so long after it. */
const MAX_STARVED_MS = 30_000;
const MIB = 1024 ** 2;

/** The limits of one isolate that are watched. */
export type WatchedLimits = Pick<Limits, "memoryMb" | "cpuBlockMs" | "cpuMsPerRequest">;

/** Which limit an isolate exceeded, what it used of it, and what it may; in the unit of the limit's name. */
export interface Breach {
  limit: keyof WatchedLimits;
  used: number;
  allowed: number;
}

/** What was found out about an isolate at one look. */
export interface Measurement {
  /** All in all. */
  cpuMs: number;
  memoryBytes: number;
  /** See {@linkcode Look}. */
  runDelayMs?: number;
}

/** What to find out about an isolate. */
export interface Look {
  isolateId: string;
  /** Also how long it has been ready to run without a processor. */
  runDelay: boolean;
}

/** What is to be done after a look. */
export type WatchEffect =
  /** To be answered by its event loop: `answered`. */
  | { type: "probe"; isolateId: string }
  /** It is not watched any more. */
  | { type: "end"; isolateId: string; breach: Breach };

interface Watched {
  readonly limits: WatchedLimits;
  readonly turn: number;
  serving: boolean;
  active: boolean;
  cpuMs: number;
  readonly window: CpuWindow;
  probe?: Probe;
}

/** A question that its event loop has not answered; times are of the watch's own clock. */
interface Probe {
  readonly sentAtMs: number;
  /** When it was first found unanswered. */
  runDelayMs?: number;
}

/**
 * Who exceeds its limits, decided from what is measured every {@linkcode WATCH_INTERVAL_MS}: without a clock, a process or
 * a socket in it. Each look is `due` → measure → `look`.
 *
 * **Invariant:** an isolate that does nothing costs a third of a measurement at each look, and no question.
 */
export class Watch {
  readonly #watched = new Map<string, Watched>();
  /** The time that went by while somebody looked. */
  #clockMs = 0;
  #lookedAtMs = -Infinity;
  #looks = 0;
  #turns = 0;
  #nextQuiet = 0;

  get size(): number {
    return this.#watched.size;
  }

  /** Watches an isolate that was given a program: its memory. */
  add(isolateId: string, limits: WatchedLimits): void {
    const turn = this.#turns++ % QUIET_LOOKS;
    const window = new CpuWindow();
    this.#watched.set(isolateId, { limits, turn, serving: false, active: true, cpuMs: 0, window });
  }

  /** It accepts requests: its event loop and its CPU time are watched, too. */
  serving(isolateId: string, now: number): void {
    const watched = this.#watched.get(isolateId);
    if (watched === undefined) return;
    watched.serving = true;
    watched.window.add(now, watched.cpuMs, 0);
  }

  remove(isolateId: string): void {
    this.#watched.delete(isolateId);
  }

  /** How many requests it has got so far. They are later news than its CPU time: what is unsure is in its favour. */
  counted(isolateId: string, requests: number, now: number): void {
    const watched = this.#watched.get(isolateId);
    if (watched?.serving) watched.window.add(now, watched.cpuMs, requests);
  }

  /** Its event loop answered the last probe. */
  answered(isolateId: string): void {
    const watched = this.#watched.get(isolateId);
    if (watched !== undefined) watched.probe = undefined;
  }

  /** What to measure now; `busy` have requests in flight. */
  due(busy: ReadonlySet<string>): Look[] {
    const turn = this.#looks++ % QUIET_LOOKS;
    const looks: Look[] = [];
    for (const [isolateId, watched] of this.#watched) {
      const { active, serving, probe } = watched;
      const quiet = serving && !active && probe === undefined && !busy.has(isolateId);
      if (quiet && watched.turn !== turn) continue;
      looks.push({ isolateId, runDelay: probe !== undefined && this.#wantsRunDelay(watched.limits, probe) });
    }
    return looks;
  }

  /** Decides on what was measured; `now` in ms. */
  look(now: number, found: ReadonlyMap<string, Measurement>, busy: ReadonlySet<string>): WatchEffect[] {
    this.#clockMs += Math.min(MAX_LOOK_MS, now - this.#lookedAtMs);
    this.#lookedAtMs = now;
    const effects: WatchEffect[] = [];
    const waiting: [string, Watched][] = [];
    for (const [isolateId, measurement] of found) {
      const watched = this.#watched.get(isolateId);
      if (watched === undefined) continue;
      watched.active = measurement.cpuMs - watched.cpuMs >= ACTIVE_CPU_MS;
      watched.cpuMs = measurement.cpuMs;
      const breach = this.#breach(watched, measurement);
      if (breach !== undefined) {
        this.#watched.delete(isolateId);
        effects.push({ type: "end", isolateId, breach });
      } else if (watched.serving && watched.probe === undefined) {
        if (watched.active) effects.push(this.#probe(isolateId, watched));
        else if (busy.has(isolateId)) waiting.push([isolateId, watched]);
      }
    }
    for (const [isolateId, watched] of this.#take(waiting)) effects.push(this.#probe(isolateId, watched));
    return effects;
  }

  #breach({ limits, probe, window }: Watched, { memoryBytes, runDelayMs }: Measurement): Breach | undefined {
    const memoryMb = memoryBytes / MIB;
    if (memoryMb > limits.memoryMb) return { limit: "memoryMb", used: memoryMb, allowed: limits.memoryMb };
    const heldMs = probe === undefined ? 0 : this.#heldMs(limits, probe, runDelayMs);
    if (heldMs >= limits.cpuBlockMs) return { limit: "cpuBlockMs", used: heldMs, allowed: limits.cpuBlockMs };
    const { meanMs = 0 } = window;
    if (meanMs <= limits.cpuMsPerRequest) return undefined;
    return { limit: "cpuMsPerRequest", used: meanMs, allowed: limits.cpuMsPerRequest };
  }

  /** How long a probe has gone unanswered, without the time in which the isolate could not run. */
  #heldMs({ cpuBlockMs }: WatchedLimits, probe: Probe, runDelayMs: number | undefined): number {
    if (runDelayMs === undefined) return 0;
    if (probe.runDelayMs === undefined) {
      probe.runDelayMs = runDelayMs;
      return 0;
    }
    const ageMs = this.#clockMs - probe.sentAtMs;
    const latestMs = Math.min(cpuBlockMs * MAX_STARVED_FACTOR, cpuBlockMs + MAX_STARVED_MS);
    return ageMs >= latestMs ? ageMs : ageMs - (runDelayMs - probe.runDelayMs);
  }

  /** It takes a while to read: once when a probe is not answered at once, and then when it is late. */
  #wantsRunDelay({ cpuBlockMs }: WatchedLimits, { sentAtMs, runDelayMs }: Probe): boolean {
    return runDelayMs === undefined || this.#clockMs + MAX_LOOK_MS - sentAtMs >= cpuBlockMs;
  }

  #probe(isolateId: string, watched: Watched): WatchEffect {
    watched.probe = { sentAtMs: this.#clockMs };
    return { type: "probe", isolateId };
  }

  #take<T>(waiting: T[]): T[] {
    if (waiting.length <= MAX_QUIET_PROBES) return waiting;
    const first = this.#nextQuiet % waiting.length;
    this.#nextQuiet = first + MAX_QUIET_PROBES;
    return [...waiting.slice(first), ...waiting.slice(0, first)].slice(0, MAX_QUIET_PROBES);
  }
}
