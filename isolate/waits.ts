import { type SandboxEnd, SandboxError } from "./ending.ts";

/** What waits for something of one process: no longer than the process lives. */
export class Waits {
  readonly #tell = new Set<(end: SandboxEnd) => void>();
  #end: SandboxEnd | undefined;

  /**
   * The result of `work`.
   *
   * @throws {SandboxError} `boot_timeout` at the deadline, or how the process ended
   */
  async until<T>(work: Promise<T>, deadline: AbortSignal): Promise<T> {
    const { promise: failure, reject } = Promise.withResolvers<never>();
    const late = () => {
      reject(new SandboxError("boot_timeout", "Cannot start the program: it was not ready in time"));
    };
    const gone = (end: SandboxEnd) => reject(processGone(end));
    if (this.#end !== undefined) gone(this.#end);
    else if (deadline.aborted) late();
    this.#tell.add(gone);
    deadline.addEventListener("abort", late, { once: true });
    try {
      return await Promise.race([work, failure]);
    } finally {
      this.#tell.delete(gone);
      deadline.removeEventListener("abort", late);
    }
  }

  /** The process is gone: nothing is waited for any more. */
  end(end: SandboxEnd): void {
    this.#end = end;
    for (const tell of this.#tell) tell(end);
  }
}

/** What whoever still wants something of the process is told. */
export function processGone({ reason, detail }: SandboxEnd): SandboxError {
  return new SandboxError(reason, `Cannot start the program: its process ended (${detail})`);
}
