import type { SandboxLogLevel } from "./protocol.ts";

/** One line that a program printed. */
export interface AppLogLine {
  /** ISO 8601, the keeper's clock. */
  time: string;
  level: SandboxLogLevel;
  message: string;
}

/** Longer lines are cut (INTERFACE §4). */
export const MAX_LINE_BYTES = 2048;
/** More lines in one second are dropped and counted. */
export const MAX_LINES_PER_SECOND = 1000;
const LEVELS: readonly string[] = ["debug", "info", "warning", "error"];
const TRIMMED = " … [trimmed]";

/** Takes what a sandbox prints, which is hostile text at a hostile rate, and passes on what the limits allow. */
export class LogIntake {
  #emit: (line: AppLogLine) => void;
  #now: () => number;
  #second = 0;
  #lines = 0;
  #dropped = 0;

  constructor(emit: (line: AppLogLine) => void, now: () => number = Date.now) {
    this.#emit = emit;
    this.#now = now;
  }

  add(level: string, message: string): void {
    const nowMs = this.#roll();
    if (++this.#lines > MAX_LINES_PER_SECOND) {
      this.#dropped++;
      return;
    }
    this.#emit({
      time: new Date(nowMs).toISOString(),
      level: LEVELS.includes(level) ? level as SandboxLogLevel : "info",
      message: trimLine(message),
    });
  }

  /** Lines that were dropped before they came here; said at once, as a line of its own. */
  addDropped(count: number): void {
    this.#roll();
    this.#dropped += Math.max(0, count);
    if (++this.#lines <= MAX_LINES_PER_SECOND) this.flush();
  }

  /** Says how many lines were dropped, if any were. */
  flush(): void {
    if (this.#dropped === 0) return;
    const message = `${this.#dropped} log lines dropped: over ${MAX_LINES_PER_SECOND} in a second`;
    this.#dropped = 0;
    this.#emit({ time: new Date(this.#now()).toISOString(), level: "warning", message });
  }

  #roll(): number {
    const nowMs = this.#now();
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) {
      this.flush();
      this.#second = second;
      this.#lines = 0;
    }
    return nowMs;
  }
}

const encoder = new TextEncoder();
const lineBytes = new Uint8Array(MAX_LINE_BYTES - encoder.encode(TRIMMED).length);

/** Cuts at a character's border so that the line has at most {@linkcode MAX_LINE_BYTES} bytes of UTF-8. */
function trimLine(message: string): string {
  if (message.length * 3 <= MAX_LINE_BYTES) return message;
  const { read } = encoder.encodeInto(message, lineBytes);
  if (read === message.length) return message;
  const whole = encoder.encode(message.slice(0, MAX_LINE_BYTES + 1)).length <= MAX_LINE_BYTES;
  return whole ? message : message.slice(0, read) + TRIMMED;
}
