import { Hono } from "hono";
import { z } from "zod";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { findDeployment } from "../deployments/deployments.ts";
import { ApiError } from "../errors.ts";
import { readQuery } from "../input.ts";
import { jsonArrayResponse, ndjsonResponse, wantsNdjson } from "./log_streams.ts";
import { commaList, isPast, LOG_PARAMETERS, pastLogs } from "./past_logs.ts";

/** The levels that a query parameter allows. */
export const LEVELS = commaList.pipe(z.array(z.enum(["error", "warning", "info", "debug"])));

const query = z.object({
  ...LOG_PARAMETERS,
  level: LEVELS.optional(),
  region: commaList.optional(),
});

/** `/v1/deployments/{id}/build_logs` and `/app_logs`. */
export function logRoutes({ store, logs }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/deployments/:deploymentId/build_logs", (c) => {
      const { id } = findDeployment(c, store, c.req.param("deploymentId")).record;
      if (!wantsNdjson(c.req.header("accept"))) return jsonArrayResponse(logs.build.list(id));
      return ndjsonResponse((signal) => logs.build.follow(id, signal));
    })
    .get("/deployments/:deploymentId/app_logs", (c) => {
      const { id } = findDeployment(c, store, c.req.param("deploymentId")).record;
      const { q, level = null, region = null, ...wanted } = readQuery(c.req.query(), query);
      const filter = { deploymentId: id, q, levels: level, regions: region };
      if (wantsNdjson(c.req.header("accept")) && !isPast(wanted)) {
        return ndjsonResponse((signal) => logs.app.follow(filter, signal) ?? tooManyReaders());
      }
      return pastLogs(c, wanted, (page, signal) => logs.app.query({ ...filter, ...page }, signal));
    });
}

/** Refuses one more live reader. */
export function tooManyReaders(): never {
  throw new ApiError("overloaded", "Too many readers follow logs: try again");
}
