import type { SubhosterConfig } from "../../model.ts";
import type { TestOrigin } from "../../testing/test_origin.ts";
import { OriginClient } from "../origin_client.ts";
import type { OriginClock } from "../origin_clock.ts";

/** A client that may call this origin. */
export function clientOf(
  origin: TestOrigin,
  { clock, ...config }: Partial<SubhosterConfig> & { clock?: OriginClock } = {},
): OriginClient {
  return new OriginClient({ subhosters: [{ ...origin.subhoster, ...config }], clock });
}
