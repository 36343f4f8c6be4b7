/// <reference lib="deno.worker" />
/**
 * A thread that does nothing but keep time: it posts when each visit was due. A timer of the event loop is a
 * millisecond late; a wait on memory that nobody changes is a tenth of that.
 */

/** When to visit. */
export interface Pace {
  /** In ms on the clock `performance.timeOrigin + performance.now()`, which all threads share. */
  startAtMs: number;
  intervalMs: number;
  visits: number;
}

const never = new Int32Array(new SharedArrayBuffer(4));

self.onmessage = ({ data }: MessageEvent<Pace>) => {
  for (let visit = 0; visit < data.visits; visit++) {
    const dueAtMs = data.startAtMs + visit * data.intervalMs;
    const waitMs = dueAtMs - (performance.timeOrigin + performance.now());
    if (waitMs > 0) Atomics.wait(never, 0, 0, waitMs);
    self.postMessage(dueAtMs);
  }
};
