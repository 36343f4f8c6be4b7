import type { TokenProblem } from "../../../runner/mod.ts";
import type { Limits } from "../../model.ts";
import type { UsageDelta } from "../../usage/mod.ts";

/** Something that went wrong last. */
export interface LastError {
  message: string;
  /** ISO 8601. */
  time: string;
}

/** How a subhoster does, since the start of this server where nothing else is said. **Invariant:** without any secret. */
export interface SubhosterStatus {
  id: string;
  /** As they are configured. */
  rpcRoots: readonly string[];
  /** That its deployments see. */
  region: string;
  /** Complete. */
  limits: Limits;
  permissions: {
    /** Where its deployments may connect to that do not say; `null` = to all public hosts. */
    net: readonly string[] | null;
  };
  /** Whether secrets are being changed. */
  hasNextSecret: boolean;
  /** What is kept of its deployments, on disk. */
  cached: { deployments: number; bytes: number };
  /** Live ones. */
  isolates: number;
  usage: Omit<UsageDelta, "memoryBytes">;
  origins: readonly OriginStatus[];
  events: EventsStatus;
}

/** How an origin does. */
export interface OriginStatus {
  rpcRoot: string;
  /** Open: it is left alone for a while, because its last calls have failed; half-open: one call tries. */
  circuit: "closed" | "open" | "half-open";
  calls: number;
  failures: number;
  lastError: LastError | null;
}

/** What becomes of a subhoster's events. */
export interface EventsStatus {
  /** Those that wait, also since before the start. */
  pending: number;
  pendingBytes: number;
  delivered: number;
  dropped: number;
  lastError: LastError | null;
}

/** Tokens of relays that were refused for the same reason, since the start. */
export interface RefusedTokenStatus {
  /** Who they said they were from; `null` = nobody who is known. */
  subhosterId: string | null;
  reason: TokenProblem;
  count: number;
  /** ISO 8601. */
  lastAt: string;
}
