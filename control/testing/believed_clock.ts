import { STEADY_AFTER_MS, SteadyClock } from "../scheduling/steady_clock.ts";

/** The time of this machine, after an hour in which it went evenly. */
export function believedClock(): SteadyClock {
  let elapsedMs = 0;
  const clock = new SteadyClock(() => Date.now() + elapsedMs, () => performance.now() + elapsedMs);
  elapsedMs = STEADY_AFTER_MS;
  return clock;
}
