import { Hono } from "hono";
import { z } from "zod";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { parseJson } from "../input.ts";
import { ndjsonResponse } from "../logs/log_streams.ts";
import type { LogPage } from "../../logs/mod.ts";
import { tooManyReaders } from "../logs/logs.ts";
import { unixMs } from "../logs/rfc3339.ts";
import { doneWithin } from "../../scheduling/done_within.ts";
import type { AppLog } from "../../model.ts";
import { namedDeployment, namedProject } from "./named_project.ts";

/** So that no proxy ends a connection that is silent. */
const PING_INTERVAL_MS = 15_000;
/** Lines read in one go: about a millisecond of the event loop. */
const PAGE = 500;
/** Pages read for one answer; what is not found in them is not searched for any longer. */
const MAX_PAGES = 100;
const MAX_LINES = 10_000;

/** `LogQueryRequestParams` of the client. */
const logQuery = z.object({
  regions: z.array(z.string()).nullish(),
  levels: z.array(z.enum(["error", "warning", "info", "debug"])).nullish(),
  since: unixMs.nullish(),
  until: unixMs.nullish(),
  /** Texts that all are in the message. */
  q: z.array(z.string()).nullish(),
  limit: z.int().min(1).transform((limit) => Math.min(limit, MAX_LINES)).nullish(),
});

/** `LiveLog` of the client. */
type LiveLog = { type: "ready" | "ping" } | { type: "message" } & AppLog;

/** `/projects/{name}/deployments/{id}/logs` and `/query_logs`. */
export function logRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { store, logs } = deps;
  const base = "/projects/:project/deployments/:deployment";
  return new Hono<ApiEnv>()
    .on("GET", [`${base}/logs`, `${base}/logs/`], (c) => {
      const project = namedProject(c, store, c.req.param("project")!);
      const { id } = namedDeployment(store, project, c.req.param("deployment")!);
      return ndjsonResponse((signal) => liveLogs(logs, id, signal));
    })
    .get(`${base}/query_logs`, async (c) => {
      const project = namedProject(c, store, c.req.param("project"));
      const { id } = namedDeployment(store, project, c.req.param("deployment"));
      const query = parseJson(c.req.query("params") ?? "{}", logQuery);
      const lines = await pastLogs(logs, id, query, c.req.raw.signal);
      return c.json({
        logs: lines.map(({ time, ...line }) => ({
          ...line,
          timestamp: time,
          deploymentId: id,
          isolateId: "",
        })),
      });
    });
}

function liveLogs(
  logs: ApiDeps["logs"],
  deploymentId: string,
  signal: AbortSignal,
): AsyncGenerator<LiveLog, void, void> {
  const all = { deploymentId, q: null, levels: null, regions: null };
  return withPings(logs.app.follow(all, signal) ?? tooManyReaders());
}

async function* withPings(lines: AsyncIterableIterator<AppLog>): AsyncGenerator<LiveLog, void, void> {
  yield { type: "ready" };
  for (let next = lines.next();; next = lines.next()) {
    while (!await doneWithin(next, PING_INTERVAL_MS)) yield { type: "ping" };
    const { done, value } = await next;
    if (done) return;
    yield { type: "message", ...value };
  }
}

/** The newest lines that match, oldest first. */
async function pastLogs(
  logs: ApiDeps["logs"],
  deploymentId: string,
  { regions, levels, since, until, q, limit }: z.infer<typeof logQuery>,
  signal: AbortSignal,
): Promise<AppLog[]> {
  // The longest is probably in the fewest lines.
  const [longest = null, ...others] = (q ?? []).toSorted((a, b) => b.length - a.length);
  const wanted = limit ?? 100;
  const found: AppLog[] = [];
  let cursor: LogPage["next"] = null;
  for (let page = 0; page < MAX_PAGES && found.length < wanted; page++) {
    const { text, next } = await logs.app.query({
      deploymentId,
      q: longest,
      levels: levels ?? null,
      regions: regions ?? null,
      sinceMs: since ?? null,
      untilMs: until ?? null,
      limit: PAGE,
      order: "desc",
      cursor,
      format: "json",
    }, signal);
    const lines = JSON.parse(new TextDecoder().decode(text)) as AppLog[];
    found.push(...lines.filter(({ message }) => others.every((part) => message.includes(part))));
    cursor = next;
    if (next === null) break;
  }
  return found.slice(0, wanted).reverse();
}
