import { Hono } from "hono";
import { z } from "zod";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { readQuery } from "../input.ts";
import { ndjsonResponse, wantsNdjson } from "./log_streams.ts";
import { tooManyReaders } from "./logs.ts";
import { commaList, isPast, LOG_PARAMETERS, pastLogs } from "./past_logs.ts";
import { findProject } from "../projects/projects.ts";

/** `404`, or the class `4xx`. */
const STATUS = /^[1-5](?:\d\d|xx)$/;
const CLASS_SIZE = 100;

const query = z.object({
  ...LOG_PARAMETERS,
  status: commaList.pipe(
    z.array(z.string().regex(STATUS, "must be a status, such as 404, or a class, such as 4xx")),
  )
    .transform((statuses) => statuses.flatMap(statusesOf)).optional(),
  deployment: commaList.optional(),
  region: commaList.optional(),
});

/** `/v1/projects/{id}/access_logs`: read as `app_logs` are, and with `status` and `deployment`. */
export function accessLogRoutes({ store, logs }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/projects/:projectId/access_logs", (c) => {
      const { id } = findProject(c, store, c.req.param("projectId"));
      const { q, status = null, deployment = null, region = null, ...wanted } = readQuery(
        c.req.query(),
        query,
      );
      const filter = { projectId: id, q, statuses: status, deploymentIds: deployment, regions: region };
      if (wantsNdjson(c.req.header("accept")) && !isPast(wanted)) {
        return ndjsonResponse((signal) => logs.access.follow(filter, signal) ?? tooManyReaders());
      }
      return pastLogs(c, wanted, (page, signal) => logs.access.query({ ...filter, ...page }, signal));
    });
}

function statusesOf(text: string): number[] {
  if (!text.endsWith("xx")) return [Number(text)];
  const first = Number(text[0]) * CLASS_SIZE;
  return Array.from({ length: CLASS_SIZE }, (_, index) => first + index);
}
