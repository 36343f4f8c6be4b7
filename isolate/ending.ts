/** Why a sandbox was ended, or ended by itself. The keeper's own reason is recorded before it kills. */
export type SandboxEndReason =
  /** Nothing to do for the idle timeout. */
  | "idle"
  /** Made room for another. */
  | "evicted"
  /** The deployment is gone, or the sandbox was only needed for a trial boot. */
  | "retired"
  | "shutdown"
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
