import { Hono } from "hono";
import { z } from "zod";
import type { LogCursor } from "../logs/mod.ts";
import type { ApiDeps, ApiEnv } from "./deps.ts";
import { findDeployment } from "./deployments.ts";
import { ApiError } from "./errors.ts";
import { readQuery } from "./input.ts";
import { ndjsonResponse, wantsNdjson } from "./log_streams.ts";
import { cursorLink } from "./paging.ts";

const ORDERS = { asc: "asc", desc: "desc", timeAsc: "asc", timeDesc: "desc" } as const;

const time = z.iso.datetime({ offset: true, message: "must be a time as in RFC 3339" })
  .transform((text) => Date.parse(text)).optional();

const query = z.object({
  q: z.string().optional(),
  level: z.string().transform((levels) => levels.split(","))
    .pipe(z.array(z.enum(["error", "warning", "info", "debug"]))).optional(),
  region: z.string().transform((regions) => regions.split(",")).optional(),
  since: time,
  until: time,
  limit: z.coerce.number().int().min(1).max(10_000).default(100),
  sort: z.literal("time").optional(),
  order: z.enum(["asc", "desc", "timeAsc", "timeDesc"]).default("desc"),
  cursor: z.string().transform(readCursor).optional(),
});

/** `/v1/deployments/{id}/build_logs` and `/app_logs`. */
export function logRoutes({ store, logs }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/deployments/:deploymentId/build_logs", (c) => {
      const { id } = findDeployment(c, store, c.req.param("deploymentId")).record;
      if (!wantsNdjson(c.req.header("accept"))) return c.json(logs.build.list(id));
      return ndjsonResponse((signal) => logs.build.follow(id, signal));
    })
    .get("/deployments/:deploymentId/app_logs", (c) => {
      const { id } = findDeployment(c, store, c.req.param("deploymentId")).record;
      const wanted = readQuery(c.req.query(), query);
      const filter = {
        deploymentId: id,
        q: wanted.q ?? null,
        levels: wanted.level ?? null,
        regions: wanted.region ?? null,
      };
      const isPast = wanted.since !== undefined || wanted.until !== undefined || wanted.cursor !== undefined;
      const ndjson = wantsNdjson(c.req.header("accept"));
      if (ndjson && !isPast) {
        return ndjsonResponse((signal) => logs.app.follow(filter, signal) ?? tooManyReaders());
      }
      const { entries, next } = logs.app.query({
        ...filter,
        sinceMs: wanted.since ?? null,
        untilMs: wanted.until ?? null,
        limit: wanted.limit,
        order: ORDERS[wanted.order],
        cursor: wanted.cursor ?? null,
      });
      if (next !== null) c.header("link", cursorLink(c.req.url, writeCursor(next)));
      if (!ndjson) return c.json(entries);
      return c.body(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""), 200, {
        "content-type": "application/x-ndjson",
      });
    });
}

function writeCursor({ timeMs, id }: LogCursor): string {
  return `${timeMs.toString(36)}-${id.toString(36)}`;
}

function readCursor(text: string, context: z.core.$RefinementCtx): LogCursor {
  const [timeMs, id] = text.split("-").map((part) => parseInt(part, 36));
  if (Number.isSafeInteger(timeMs) && Number.isSafeInteger(id)) return { timeMs: timeMs!, id: id! };
  context.addIssue({ code: "custom", message: "must be a cursor of an earlier answer" });
  return z.NEVER;
}

function tooManyReaders(): never {
  throw new ApiError("overloaded", "Too many readers follow logs: try again");
}
