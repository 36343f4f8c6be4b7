import { Hono } from "hono";
import { z } from "zod";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { readQuery } from "../input.ts";
import { ndjsonResponse, wantsNdjson } from "../logs/log_streams.ts";
import { LEVELS, tooManyReaders } from "../logs/logs.ts";
import { isPast, LOG_PARAMETERS, pastLogs } from "../logs/past_logs.ts";
import type { SubhosterStatus } from "./subhoster_status.ts";

const logQuery = z.object({ ...LOG_PARAMETERS, level: LEVELS.optional(), deployment: z.string().optional() });

/** `/v1/subhosters`, what they print, and `/v1/refused_tokens`: the machine's, for whoever manages it. */
export function subhosterRoutes({ subhosting, logs }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/subhosters", (c) => c.json(shown(subhosting.status())))
    .get("/subhosters/:subhosterId", (c) => c.json(shown([find(c.req.param("subhosterId"))])[0]))
    .get("/subhosters/:subhosterId/logs", (c) => {
      const { id: subhosterId } = find(c.req.param("subhosterId"));
      const { q, level = null, deployment = null, ...wanted } = readQuery(c.req.query(), logQuery);
      const filter = { subhosterId, q, levels: level, deploymentId: deployment };
      if (wantsNdjson(c.req.header("accept")) && !isPast(wanted)) {
        return ndjsonResponse((signal) => logs.subhosted.follow(filter, signal) ?? tooManyReaders());
      }
      return pastLogs(c, wanted, (page, signal) => logs.subhosted.query({ ...filter, ...page }, signal));
    })
    .get("/refused_tokens", (c) => c.json(subhosting.refusedTokens()));

  function find(id: string): SubhosterStatus {
    const found = subhosting.status().find((subhoster) => subhoster.id === id);
    if (found !== undefined) return found;
    throw new ApiError("subhosterNotFound", `Subhoster "${id}" is not configured`);
  }

  function shown(subhosters: readonly SubhosterStatus[]) {
    const refused = Map.groupBy(subhosting.refusedTokens(), ({ subhosterId }) => subhosterId);
    return subhosters.map((subhoster) => ({
      ...subhoster,
      refusedTokens: (refused.get(subhoster.id) ?? []).map(({ subhosterId: _, ...tokens }) => tokens),
    }));
  }
}
