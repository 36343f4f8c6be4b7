/** Calls that fail in a row, after which an origin is left alone. */
export const MAX_FAILURES = 5;
/** How long it is left alone at first; then twice as long each time that it is still away. */
const FIRST_PAUSE_MS = 1_000;
/** At most so long. */
export const MAX_PAUSE_MS = 30_000;

/** Whether an origin is called. Times are in ms on the caller's clock. */
export type Circuit =
  | { state: "closed"; failures: number }
  | { state: "open"; untilMs: number; pauseMs: number }
  /** One call tries whether it is back. */
  | { state: "half-open"; pauseMs: number };

/**
 * What a call tells: it begins; it was answered, however; nothing says that the origin is still there; its caller gave it up
 * before anything was known.
 */
export type CircuitEvent = "begun" | "answered" | "failed" | "abandoned";

/** Of an origin of which nothing is known. */
export const CLOSED: Circuit = { state: "closed", failures: 0 };

/** What becomes of a circuit. Calls that began before it opened may end at any time later. */
export function nextCircuit(circuit: Circuit, event: CircuitEvent, nowMs: number): Circuit {
  if (event === "answered") return CLOSED;
  switch (circuit.state) {
    case "closed": {
      if (event !== "failed") return circuit;
      const failures = circuit.failures + 1;
      return failures < MAX_FAILURES ? { state: "closed", failures } : open(FIRST_PAUSE_MS, nowMs);
    }
    case "open":
      return event === "begun" ? { state: "half-open", pauseMs: circuit.pauseMs } : circuit;
    case "half-open":
      if (event === "failed") return open(Math.min(2 * circuit.pauseMs, MAX_PAUSE_MS), nowMs);
      return event === "abandoned" ? { ...circuit, state: "open", untilMs: nowMs } : circuit;
  }
}

/** How long no call may begin, in ms; 0 = one may. */
export function pauseLeftMs(circuit: Circuit, nowMs: number): number {
  switch (circuit.state) {
    case "closed":
      return 0;
    case "open":
      return Math.max(0, circuit.untilMs - nowMs);
    case "half-open":
      return FIRST_PAUSE_MS;
  }
}

function open(pauseMs: number, nowMs: number): Circuit {
  return { state: "open", untilMs: nowMs + pauseMs, pauseMs };
}
