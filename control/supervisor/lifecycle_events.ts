import type { ErrorCode } from "../../runner/mod.ts";

/** What the lifecycle is told. */
export type LifecycleEvent =
  /** `lessee` asks for the isolate of a deployment; `tree`: no blank sandbox can take its program. */
  | { type: "acquire"; waiter: string; lessee: string; deploymentId: string; tree: boolean }
  | { type: "started"; isolateId: string }
  | { type: "booted"; isolateId: string }
  /** The process is gone. `code` says why, if it was not asked for. */
  | { type: "ended"; isolateId: string; code?: ErrorCode }
  | { type: "released"; isolateId: string; lessee: string }
  /** The answer to `recall` of a lessee with requests in flight. */
  | { type: "busy"; isolateId: string; lessee: string }
  /** The lessee found it unusable, and has released it; `code` is what it answers for it. */
  | { type: "broken"; isolateId: string; lessee: string; code: ErrorCode }
  /** It uses more than it may. */
  | { type: "exceeded"; isolateId: string; code: "MEMORY_LIMIT" | "TIME_LIMIT" }
  /** The answer to `askPending`. */
  | { type: "pending"; isolateId: string; count: number }
  /** The answer to `survey`: when each isolate was last active; `now` for those with requests in flight. */
  | { type: "surveyed"; lastActiveAt: ReadonlyMap<string, number> }
  /** The deployment is no more: finish what is in flight, then end. */
  | { type: "retire"; deploymentId: string }
  | { type: "tick" };

/** What the lifecycle wants done. */
export type LifecycleEffect =
  /** A blank sandbox or, with a deployment, one of its own, which boots as soon as it is up. */
  | { type: "start"; isolateId: string; deploymentId?: string }
  | { type: "assign"; isolateId: string; deploymentId: string }
  | { type: "end"; isolateId: string; reason: EndReason }
  | { type: "recall"; isolateId: string; lessee: string }
  | { type: "askPending"; isolateId: string }
  /** Which isolates are least recently used? */
  | { type: "survey" }
  | { type: "grant"; waiter: string; isolateId: string }
  | { type: "refuse"; waiter: string; code: ErrorCode; retryAfterMs?: number };

/** Why the lifecycle ends an isolate. */
export type EndReason = "idle" | "evicted" | "retired" | "protocol" | "memory_limit" | "time_limit";

/** Where an isolate is in its life. */
export type IsolatePhase = "starting" | "blank" | "booting" | "ready" | "ending";
