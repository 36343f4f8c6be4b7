import type { ErrorCode, IsolateUsage } from "../../runner/mod.ts";

/** Who uses isolates: a runner. */
export interface Lessee {
  readonly id: string;
  /** Answered by `Supervisor.released` or `Supervisor.busy`. */
  recall(isolateId: string): void;
  /** The isolate is gone, or about to be: what is in flight there ends with the code. */
  ended(isolateId: string, code: ErrorCode): void;
  /** Of the isolates that are leased to it. */
  usage(): Promise<IsolateUsage[]>;
  /** The isolates in which it has requests in flight. */
  inFlight(): Promise<string[]>;
}
