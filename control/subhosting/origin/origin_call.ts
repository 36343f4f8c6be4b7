import type { Answer } from "./answer.ts";
import { CallFailure } from "./call_failure.ts";
import type { CircuitEvent } from "./circuit.ts";
import type { OriginClock } from "./origin_clock.ts";
import { OriginError } from "./origin_error.ts";
import type { OriginGate } from "./origin_gate.ts";

/** Of calls that may go better. */
const MAX_TRIES = 3;
/** Before the next try, each give or take a half. */
const BACKOFF_MS = [100, 400];
/** An origin that asks for more patience is not waited for. */
const MAX_WAIT_MS = 1_000;

/** One call, from its first try to its last. */
export interface OriginCall<T> {
  /** As messages name it. */
  name: string;
  deploymentId: string;
  gate: OriginGate;
  clock: OriginClock;
  /** Its end. */
  signal: AbortSignal;
  /** Makes one try. */
  send: () => Promise<Answer>;
  read: (answer: Answer) => Promise<T>;
}

/**
 * Makes a call when its origin may be called, again if that may help and nothing was read of an answer.
 *
 * @throws {OriginError}
 * @throws what `read` does, or the signal's reason
 */
export async function callOrigin<T>(call: OriginCall<T>): Promise<T> {
  const { name, deploymentId, gate, signal } = call;
  try {
    await gate.enter(signal);
  } catch (cause) {
    throw explain(name, cause);
  }
  try {
    const result = await tryAgain(call, gate.isTrying ? 1 : MAX_TRIES);
    gate.leave("answered");
    gate.count(null);
    return result;
  } catch (cause) {
    const error = explain(name, cause);
    const isUnreachable = cause instanceof CallFailure && cause.isUnreachable;
    gate.leave(outcomeOf(cause, signal), isUnreachable ? null : deploymentId);
    // What it does not have is nothing that an origin does wrong.
    gate.count(error instanceof OriginError && error.code !== "not_found" ? error : null);
    throw error;
  }
}

/** What is told of an error: it is another if it is of the origin. */
export function explain(name: string, cause: unknown): unknown {
  if (!(cause instanceof CallFailure)) return cause;
  const { code, message, status, retryAfterMs } = cause;
  return new OriginError(code, `Cannot ${name}: ${message}`, { cause, status, retryAfterMs });
}

async function tryAgain<T>({ clock, signal, send, read }: OriginCall<T>, maxTries: number): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      await using answer = await send();
      return await read(answer);
    } catch (error) {
      if (!(error instanceof CallFailure) || !error.isPassing || tries >= maxTries) throw error;
      const backoffMs = (BACKOFF_MS[tries - 1] ?? MAX_WAIT_MS) * (0.5 + Math.random());
      const waitMs = Math.max(backoffMs, error.retryAfterMs ?? 0);
      if (waitMs > MAX_WAIT_MS) throw error;
      await pause(clock, waitMs, signal);
    }
  }
}

async function pause(clock: OriginClock, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  const giveUp = () => reject(signal.reason);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    await promise;
  } finally {
    cancel();
    signal.removeEventListener("abort", giveUp);
  }
}

function outcomeOf(cause: unknown, signal: AbortSignal): Exclude<CircuitEvent, "begun"> {
  if (cause instanceof CallFailure) return cause.isDead ? "failed" : "answered";
  return signal.aborted ? "abandoned" : "answered";
}
