/** How far back requests and CPU time are looked at (INTERFACE §4, `cpuMsPerRequest`). */
export const CPU_WINDOW_MS = 60_000;
/** Fewer in the window say nothing about a mean. */
export const MIN_REQUESTS = 20;
/** Samples closer to each other than this are one. */
const SAMPLE_INTERVAL_MS = 1_000;

interface Sample {
  atMs: number;
  cpuMs: number;
  requests: number;
}

/** Mean CPU time per request of one isolate over the last minute, from totals that only grow. */
export class CpuWindow {
  /** Oldest first, a second apart but for the newest; the first may be older than the window. */
  readonly #samples: Sample[] = [];

  /** What it has used, and how many requests it has got, up to this time. */
  add(atMs: number, cpuMs: number, requests: number): void {
    const samples = this.#samples;
    const [before, last] = samples.slice(-2);
    if (last !== undefined && last.atMs - before!.atMs < SAMPLE_INTERVAL_MS) samples.pop();
    samples.push({ atMs, cpuMs, requests });
    while (samples.length > 2 && samples[1]!.atMs <= atMs - CPU_WINDOW_MS) samples.shift();
  }

  /** Requests in the window. */
  get requests(): number {
    const { first, last } = this.#ends();
    return last.requests - first.requests;
  }

  /** CPU ms per request; `undefined` with fewer requests than {@linkcode MIN_REQUESTS}. */
  get meanMs(): number | undefined {
    const { first, last } = this.#ends();
    const requests = last.requests - first.requests;
    return requests < MIN_REQUESTS ? undefined : (last.cpuMs - first.cpuMs) / requests;
  }

  #ends(): { first: Sample; last: Sample } {
    const nothing = { atMs: 0, cpuMs: 0, requests: 0 };
    return { first: this.#samples[0] ?? nothing, last: this.#samples.at(-1) ?? nothing };
  }
}
