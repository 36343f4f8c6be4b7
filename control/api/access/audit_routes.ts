import { Hono } from "hono";
import { z } from "zod";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { readQuery } from "../input.ts";
import { wantsNdjson } from "../logs/log_streams.ts";
import { findOrganization } from "./organizations.ts";
import { cursorLink } from "../paging.ts";
import { optionalTime } from "../logs/rfc3339.ts";
import { optionalCursor, writeCursor } from "../logs/time_cursor.ts";

const query = z.object({
  organizationId: z.string().optional(),
  tokenId: z.string().optional(),
  since: optionalTime,
  until: optionalTime,
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  order: z.enum(["asc", "desc"]).default("desc"),
  cursor: optionalCursor,
});

/** `/v1/audit`: who changed what. */
export function auditRoutes({ store }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>().get("/", (c) => {
    const wanted = readQuery(c.req.query(), query);
    const organizationId = wanted.organizationId === undefined
      ? c.get("principal").organizationId
      : findOrganization(c, store, wanted.organizationId).id;
    const { records, next } = store.audit.query({
      organizationId,
      tokenId: wanted.tokenId ?? null,
      sinceMs: wanted.since ?? null,
      untilMs: wanted.until ?? null,
      limit: wanted.limit,
      order: wanted.order,
      cursor: wanted.cursor ?? null,
    });
    if (next !== null) c.header("link", cursorLink(c.req.url, writeCursor(next)));
    if (!wantsNdjson(c.req.header("accept"))) return c.json(records);
    return c.body(records.map((record) => `${JSON.stringify(record)}\n`).join(""), 200, {
      "content-type": "application/x-ndjson",
    });
  });
}
