import type { Acquired, TraceContext } from "../../runner/mod.ts";

/**
 * What the start of an isolate consists of: a blank sandbox is there, or one of its own is started; it is given the
 * program's files; the program runs until it serves.
 */
export type StartStep = "sandbox.take" | "sandbox.start" | "program.handover" | "isolate.boot";

/** Who watches the starts that traced requests wait for. */
export interface StartObserver {
  /** A request waits for an isolate of the deployment. Returns what is to be called with the answer. */
  begin(deploymentId: string, trace: TraceContext): (result: Acquired) => void;
  /** A step begins, where the one before ends. Of no effect where no traced request waits. */
  step(deploymentId: string, step: StartStep): void;
}
