import type { Context } from "hono";
import { z } from "zod";
import type { LogPage, LogQuery } from "../../logs/mod.ts";
import type { ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { wantsNdjson } from "./log_streams.ts";
import { cursorLink } from "../paging.ts";
import { optionalTime } from "./rfc3339.ts";
import { optionalCursor, writeCursor } from "./time_cursor.ts";

const ORDERS = { asc: "asc", desc: "desc", timeAsc: "asc", timeDesc: "desc" } as const;
const MAX_LIMIT = 10_000;
/** Lines read at once where all are wanted. */
const EXPORT_LINES = 1000;

const error = `must be 1 to ${MAX_LIMIT}, or "all"`;
const limit = z.literal("all").or(
  z.coerce.number({ error }).int({ error }).min(1, { error }).max(MAX_LIMIT, { error }),
);

/** Several values of one query parameter. */
export const commaList = z.string().transform((text) => text.split(","));

/** The query parameters of every log, for {@linkcode readQuery}: the document's, and `limit=all`. */
export const LOG_PARAMETERS = {
  q: z.string().optional().transform((q) => q ?? null),
  since: optionalTime,
  until: optionalTime,
  limit: limit.default(100),
  sort: z.literal("time").optional(),
  order: z.enum(["asc", "desc", "timeAsc", "timeDesc"]).default("desc"),
  cursor: optionalCursor,
};

/** What was given for {@linkcode LOG_PARAMETERS}. */
export type LogParameters = z.output<z.ZodObject<typeof LOG_PARAMETERS>>;

/** The part of a query that says which page is wanted. */
export type PageQuery = Pick<LogQuery, "sinceMs" | "untilMs" | "limit" | "order" | "cursor" | "format">;

/** Whether past lines are asked for: without a time or a cursor, it is those to come. */
export function isPast({ since, until, cursor }: Pick<LogParameters, "since" | "until" | "cursor">): boolean {
  return since !== undefined || until !== undefined || cursor !== undefined;
}

/**
 * Answers with past lines: one page with a `Link` to the next, as JSON or as NDJSON; or, for `limit=all`, every line up to
 * now, as fast as the client takes them.
 *
 * @param read Reads one page.
 */
export async function pastLogs(
  c: Context<ApiEnv>,
  wanted: Omit<LogParameters, "q">,
  read: (query: PageQuery, signal: AbortSignal) => Promise<LogPage>,
): Promise<Response> {
  const isNdjson = wantsNdjson(c.req.header("accept"));
  const query: PageQuery = {
    sinceMs: wanted.since ?? null,
    untilMs: wanted.until ?? null,
    limit: wanted.limit === "all" ? EXPORT_LINES : wanted.limit,
    order: ORDERS[wanted.order],
    cursor: wanted.cursor ?? null,
    format: isNdjson ? "ndjson" : "json",
  };
  if (wanted.limit === "all") {
    if (!isNdjson) {
      throw new ApiError(
        "badRequest",
        'Invalid request: "limit": "all" needs "Accept: application/x-ndjson"',
      );
    }
    return exported(read, { ...query, untilMs: query.untilMs ?? Date.now() });
  }
  const { text, next } = await read(query, c.req.raw.signal);
  if (next !== null) c.header("link", cursorLink(c.req.url, writeCursor(next)));
  return c.body(text, 200, { "content-type": isNdjson ? "application/x-ndjson" : "application/json" });
}

/** Every line of a query, read page by page as the client takes them. */
async function exported(
  read: (query: PageQuery, signal: AbortSignal) => Promise<LogPage>,
  query: PageQuery,
): Promise<Response> {
  const gone = new AbortController();
  // What is wrong with the request, or the server, is answered before the first byte.
  let page: LogPage | null = await read(query, gone.signal);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      page ??= await read(query, gone.signal);
      if (page.text.length > 0) controller.enqueue(page.text);
      if (page.next === null) return controller.close();
      query = { ...query, cursor: page.next };
      page = null;
    },
    cancel: () => gone.abort(),
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}
