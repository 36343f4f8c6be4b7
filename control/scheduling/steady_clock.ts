/** How long the wall clock must have gone evenly before what is old by it may be deleted. */
export const STEADY_AFTER_MS = 60 * 60_000;
/** Further from the monotonic clock in one go, it was set. NTP slews less. */
const MAX_STEP_MS = 10_000;

/**
 * A wall clock that does not trust itself at once: a machine that starts with a wrong date, or whose date is set, must
 * not take everything that it keeps for too old.
 */
export class SteadyClock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  #offsetMs: number;
  #steadySinceMs: number;

  /**
   * @param wall Unix ms.
   * @param monotonic ms.
   */
  constructor(wall: () => number = Date.now, monotonic: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#steadySinceMs = monotonic();
    this.#offsetMs = wall() - this.#steadySinceMs;
  }

  /** Unix ms; `null` unless the clock has gone evenly for an hour. To be asked regularly: it looks only then. */
  steadyMs(): number | null {
    const wallMs = this.#wall();
    const monotonicMs = this.#monotonic();
    const offsetMs = wallMs - monotonicMs;
    if (Math.abs(offsetMs - this.#offsetMs) > MAX_STEP_MS) this.#steadySinceMs = monotonicMs;
    this.#offsetMs = offsetMs;
    return monotonicMs - this.#steadySinceMs >= STEADY_AFTER_MS ? wallMs : null;
  }
}
