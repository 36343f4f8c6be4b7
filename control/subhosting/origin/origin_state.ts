import type { Origin } from "../model.ts";

/** How an origin does, as its calls show. */
export interface OriginState {
  origin: Origin;
  /** Open: it is left alone for a while, because its last calls have failed; half-open: one call tries. */
  circuit: "closed" | "open" | "half-open";
  /** Since the server started, those of each kind. */
  calls: number;
  /** Those of them that failed, whatever the reason. */
  failures: number;
  /** `null` = none has failed. */
  lastError: { message: string; /** Unix ms. */ atMs: number } | null;
}
