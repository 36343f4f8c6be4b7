/** Why a sandbox was ended, or ended by itself. The keeper's own reason is recorded before it kills. */
export type SandboxEndReason =
  /** Nothing to do for the idle timeout. */
  | "idle"
  /** Made room for another. */
  | "evicted"
  /** The deployment is gone, or the sandbox was only needed for a trial boot. */
  | "retired"
  | "shutdown"
  /** It used more memory than it may, or could not get more. */
  | "memory_limit"
  /** It used more CPU time than it may, or held its event loop for too long. */
  | "time_limit"
  /** The program ended itself, by an exit or an error that nobody caught. */
  | "exited"
  /** The process is gone and nobody here ended it. */
  | "crashed"
  /** It broke the protocol that it shares with its keeper or with the runner. */
  | "protocol"
  | "boot_failure"
  | "boot_timeout";

/** How a sandbox ended. */
export interface SandboxEnd {
  reason: SandboxEndReason;
  /** For people: the exit code, the signal, the last words on stderr. */
  detail: string;
}

/** A sandbox that could not be started or used. */
export class SandboxError extends Error {
  override readonly name = "SandboxError";

  constructor(readonly code: SandboxEndReason, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** What V8 and Rust say before they end a process that gets no more memory. */
const OUT_OF_MEMORY =
  /JavaScript out of memory|memory allocation of \d+ bytes failed|<--- Last few GCs --->|Failed to reserve virtual memory/;
/**
 * How V8 and Rust end their process. Also SIGKILL: its keeper, whose connection such a process closes, may be quicker with
 * that than the process with its own end.
 */
const ABORTED: ReadonlySet<string> = new Set(["SIGTRAP", "SIGILL", "SIGABRT", "SIGKILL"]);

/** Whether a line on stderr says that there was no more memory. */
export function saysOutOfMemory(line: string): boolean {
  return OUT_OF_MEMORY.test(line);
}

/** Whether a process that ended like this (its signal or exit code) may have been ended by its own runtime. */
export function aborted(exit: string): boolean {
  return ABORTED.has(exit);
}
