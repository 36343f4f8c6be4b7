import type { Origin } from "../model.ts";
import { CallFailure } from "./call_failure.ts";
import { type Circuit, type CircuitEvent, CLOSED, nextCircuit, pauseLeftMs } from "./circuit.ts";
import type { OriginClock } from "./origin_clock.ts";
import type { OriginState } from "./origin_state.ts";

/** Calls to one origin at once; more wait. */
export const MAX_CALLS_AT_ONCE = 64;
/** Calls that wait for one origin; more fail at once. */
const MAX_WAITING = 1024;

/** Decides which calls one origin gets, and when: not too many at once, and none for a while when it is away. */
export class OriginGate {
  readonly #origin: Origin;
  readonly #clock: OriginClock;
  #circuit: Circuit = CLOSED;
  #inFlight = 0;
  /** In order of arrival. */
  readonly #waiting = new Set<() => void>();
  /** Deployments whose calls failed since one was answered. */
  readonly #suspects = new Set<string>();
  #calls = 0;
  #failures = 0;
  #lastError: OriginState["lastError"] = null;

  constructor(origin: Origin, clock: OriginClock) {
    this.#origin = origin;
    this.#clock = clock;
  }

  /** No call is under way. */
  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#waiting.size === 0;
  }

  /** The next call is to find out whether the origin is back, so it should not take long. */
  get isTrying(): boolean {
    return this.#circuit.state === "half-open";
  }

  /**
   * Waits until a call may begin; {@linkcode leave} has to follow.
   *
   * @throws {CallFailure} It may not.
   * @throws the signal's reason
   */
  async enter(signal: AbortSignal): Promise<void> {
    this.#refuseIfOpen();
    if (this.#inFlight < MAX_CALLS_AT_ONCE) this.#inFlight++;
    else await this.#waitForPlace(signal);
    try {
      // While it waited, the origin may have gone.
      this.#refuseIfOpen();
    } catch (error) {
      this.#giveUpPlace();
      throw error;
    }
    this.#tell("begun");
  }

  /**
   * The call has ended.
   *
   * @param suspect The deployment that may be why it failed; `null` = none is.
   */
  leave(outcome: Exclude<CircuitEvent, "begun">, suspect: string | null = null): void {
    if (outcome === "answered") this.#suspects.clear();
    this.#tell(outcome === "failed" && this.#isKnown(suspect) ? "abandoned" : outcome);
    this.#giveUpPlace();
  }

  /** Counts a call. */
  count(error: Error | null): void {
    this.#calls++;
    if (error === null) return;
    this.#failures++;
    this.#lastError = { message: error.message, atMs: Date.now() };
  }

  state(): OriginState {
    return {
      origin: this.#origin,
      circuit: this.#circuit.state,
      calls: this.#calls,
      failures: this.#failures,
      lastError: this.#lastError,
    };
  }

  /** Whether that was counted: a deployment that fails again and again says nothing of the others of its origin. */
  #isKnown(suspect: string | null): boolean {
    if (suspect === null || this.#circuit.state !== "closed") return false;
    const isKnown = this.#suspects.has(suspect);
    this.#suspects.add(suspect);
    return isKnown;
  }

  #tell(event: CircuitEvent): void {
    this.#circuit = nextCircuit(this.#circuit, event, this.#clock.now());
  }

  #refuseIfOpen(): void {
    const retryAfterMs = pauseLeftMs(this.#circuit, this.#clock.now());
    if (retryAfterMs === 0) return;
    const reason = this.#lastError === null ? "" : ` (${this.#lastError.message})`;
    throw new CallFailure("unavailable", `it is left alone for a while, because calls have failed${reason}`, {
      retryAfterMs,
    });
  }

  async #waitForPlace(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#waiting.size >= MAX_WAITING) {
      throw new CallFailure("unavailable", `more than ${MAX_WAITING} calls wait for it`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => {
      this.#waiting.delete(resolve);
      reject(signal.reason);
    };
    this.#waiting.add(resolve);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Whoever has waited longest gets the place. */
  #giveUpPlace(): void {
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#inFlight--;
      return;
    }
    this.#waiting.delete(first);
    first();
  }
}
