import { type Context, Hono } from "hono";
import { z } from "zod";
import type { UsageRow } from "../../usage/mod.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { readQuery } from "../input.ts";
import { jsonArrayResponse } from "./log_streams.ts";
import { findOrganization } from "../access/organizations.ts";
import { findProject } from "../projects/projects.ts";
import { optionalTime } from "./rfc3339.ts";

const DAY_MS = 24 * 60 * 60_000;

/** The columns, named as the example of `Analytics` in the document names them. There is no KV store to count in. */
const COLUMNS: readonly [name: string, value: (row: UsageRow) => number][] = [
  ["requestCount", (row) => row.requests],
  ["cpuSeconds", (row) => row.cpuMs / 1000],
  ["uptimeSeconds", (row) => row.uptimeMs / 1000],
  ["maxRssMemoryBytes", (row) => row.memoryBytes],
  ["networkIngressBytes", (row) => row.ingressBytes],
  ["networkEgressBytes", (row) => row.egressBytes],
  ["kvReadCount", () => 0],
  ["kvWriteCount", () => 0],
  ["kvReadUnits", () => 0],
  ["kvWriteUnits", () => 0],
  ["kvStorageBytes", () => 0],
];

const FIELDS = [
  { name: "time", type: "time" },
  ...COLUMNS.map(([name]) => ({ name, type: "number" })),
];

/** The document calls both required and gives each a default: a client may leave them out. */
const query = z.object({ since: optionalTime, until: optionalTime });

/** `/v1/projects/{id}/analytics` and `/v1/organizations/{id}/analytics`. */
export function analyticsRoutes({ store, usage }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/projects/:projectId/analytics", (c) => {
      const { id } = findProject(c, store, c.req.param("projectId"));
      const { since, until } = readRange(c);
      return analytics(usage.rows({ projectId: id }, since, until));
    })
    .get("/organizations/:organizationId/analytics", (c) => {
      const { id } = findOrganization(c, store, c.req.param("organizationId"));
      const { since, until } = readRange(c);
      if (until - since > DAY_MS) {
        throw new ApiError("badRequest", `Invalid request: "since" and "until" are more than 24 hours apart`);
      }
      return analytics(usage.rows({ organizationId: id }, since, until));
    });
}

/** Unix ms; by default, the last 24 hours. */
function readRange(c: Context<ApiEnv>): { since: number; until: number } {
  const now = Date.now();
  const { since = now - DAY_MS, until = now } = readQuery(c.req.query(), query);
  if (since > until) {
    const range = `"since" (${new Date(since).toISOString()}) is after "until" (${
      new Date(until).toISOString()
    })`;
    throw new ApiError("badRequest", `Invalid request: ${range}`);
  }
  return { since, until };
}

/** `Analytics` of the reference document. */
function analytics(rows: Iterable<UsageRow>): Response {
  return jsonArrayResponse(values(rows), [`{"fields":${JSON.stringify(FIELDS)},"values":`, "}"]);
}

function* values(rows: Iterable<UsageRow>): Generator<(string | number)[]> {
  for (const row of rows) {
    yield [new Date(row.startMs).toISOString(), ...COLUMNS.map(([, value]) => value(row))];
  }
}
