import type { Sandbox } from "../../isolate/mod.ts";
import type { Lessee } from "./lessee.ts";
import {
  type Breach,
  type Look,
  type Measurement,
  Watch,
  WATCH_INTERVAL_MS,
  type WatchedLimits,
} from "./watch.ts";

/** What the watcher looks at. */
export type WatchedSandbox = Pick<Sandbox, "measure" | "runDelayMs" | "alive">;

const COUNT_INTERVAL_MS = 1_000;

/** Who hears of what the watcher finds. */
export interface WatcherOptions {
  lessees: ReadonlyMap<string, Lessee>;
  /** Whether any isolate is leased: only then a lessee can have requests in flight. */
  isLeased(): boolean;
  measured(isolateId: string, measurement: Measurement): void;
  /** It is to be ended; it is not watched any more. */
  exceeded(isolateId: string, breach: Breach): void;
  /** Called every second, not again before it is done: time to tell {@linkcode Watcher.counted}. */
  count(): Promise<void>;
}

/** Carries out what the {@linkcode Watch} decides. It rests while there is nothing to be watched. */
export class Watcher implements Disposable {
  readonly #options: WatcherOptions;
  readonly #watch = new Watch();
  readonly #sandboxes = new Map<string, WatchedSandbox>();
  /** By lessee: the isolates in which it had requests in flight when it was last asked. */
  readonly #inFlight = new Map<string, string[]>();
  /** Lessees that have not answered. */
  readonly #asked = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #counting = false;
  #countedAt = 0;
  #closed = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** The isolate is given its program now. */
  add(isolateId: string, sandbox: WatchedSandbox, limits: WatchedLimits): void {
    this.#sandboxes.set(isolateId, sandbox);
    this.#watch.add(isolateId, limits);
    this.#arm();
  }

  /** It accepts requests. */
  serving(isolateId: string): void {
    this.#watch.serving(isolateId, performance.now());
  }

  /** How many requests it has got so far. */
  counted(isolateId: string, requests: number): void {
    this.#watch.counted(isolateId, requests, performance.now());
  }

  remove(isolateId: string): void {
    this.#sandboxes.delete(isolateId);
    this.#watch.remove(isolateId);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #arm() {
    if (this.#closed || this.#timer !== undefined || this.#watch.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
      this.#arm();
    }, WATCH_INTERVAL_MS);
  }

  #look() {
    this.#askLessees();
    this.#count();
    const busy = new Set([...this.#inFlight.values()].flat());
    const found = new Map(this.#watch.due(busy).map((look) => this.#measure(look)));
    for (const [isolateId, measurement] of found) this.#options.measured(isolateId, measurement);
    for (const effect of this.#watch.look(performance.now(), found, busy)) {
      if (effect.type === "probe") void this.#probe(effect.isolateId);
      else this.#options.exceeded(effect.isolateId, effect.breach);
    }
  }

  #measure({ isolateId, runDelay }: Look): [string, Measurement] {
    const sandbox = this.#sandboxes.get(isolateId)!;
    const usage = sandbox.measure();
    return [isolateId, runDelay ? { ...usage, runDelayMs: sandbox.runDelayMs() } : usage];
  }

  async #probe(isolateId: string) {
    await this.#sandboxes.get(isolateId)!.alive();
    this.#watch.answered(isolateId);
  }

  /** Nobody waits for the answers: what a look knows is at most as old as a lessee is slow. */
  #askLessees() {
    if (!this.#options.isLeased()) return this.#inFlight.clear();
    for (const lessee of this.#options.lessees.values()) void this.#ask(lessee);
  }

  async #ask(lessee: Lessee) {
    if (this.#asked.has(lessee.id)) return;
    this.#asked.add(lessee.id);
    this.#inFlight.set(lessee.id, await lessee.inFlight());
    this.#asked.delete(lessee.id);
  }

  #count() {
    const now = performance.now();
    if (this.#counting || now - this.#countedAt < COUNT_INTERVAL_MS) return;
    this.#counting = true;
    this.#countedAt = now;
    void this.#options.count().finally(() => this.#counting = false);
  }
}
