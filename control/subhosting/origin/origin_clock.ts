/** Time, as the calls to origins see it. */
export interface OriginClock {
  /** In ms; never set back. */
  now(): number;
  /** Calls back once after that time, unless what is returned is called before. */
  after(ms: number, callback: () => void): () => void;
}

/** The machine's. */
export const machineClock: OriginClock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
