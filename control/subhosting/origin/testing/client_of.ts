import type { SubhosterConfig } from "../../model.ts";
import type { TestOrigin } from "../../testing/test_origin.ts";
import { OriginClient } from "../origin_client.ts";
import type { OriginClock } from "../origin_clock.ts";

/** A client that may call this origin. */
export function clientOf(
  origin: TestOrigin,
  { clock, ...config }: Partial<SubhosterConfig> & { clock?: OriginClock } = {},
): OriginClient {
  const subhoster: SubhosterConfig = {
    id: origin.subhosterId,
    secret: origin.secret,
    nextSecret: null,
    rpcRoots: [origin.rpcRoot],
    limits: {},
    net: null,
    region: null,
    ...config,
  };
  return new OriginClient({ subhosters: [subhoster], ...(clock === undefined ? {} : { clock }) });
}
