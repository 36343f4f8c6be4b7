import type { MiddlewareHandler } from "hono";
import type { ApiEnv } from "./deps.ts";
import { ApiError } from "./errors.ts";
import { matchedRoute, shapeOf } from "./access/matched_route.ts";

/** Answers kept; the oldest makes room. */
const MAX_ANSWERS = 2000;
/** Clients that retry do it within minutes. */
const KEPT_MS = 60 * 60_000;
const MAX_KEY_LENGTH = 255;

/** The calls that create something. Names of parameters do not matter. */
const CREATES =
  /^\/(?:organizations\/:\/(?:projects|databases|domains)|projects\/:\/deployments|deployments\/:\/redeploy)$/;

interface Kept {
  keptAt: number;
  /** JSON; `null` = it was refused. */
  answer: Promise<string | null>;
}

/**
 * Makes a call that creates something, sent again with the same `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header)
 * by the same token, answer what it answered first; while the first is under way, it waits for that. What was refused is
 * done anew.
 */
export function idempotent(): MiddlewareHandler<ApiEnv> {
  const kept = new Map<string, Kept>();
  return async (c, next) => {
    const key = c.req.header("idempotency-key");
    const route = matchedRoute(c);
    if (!key || route?.method !== "POST" || !CREATES.test(shapeOf(route))) {
      return await next();
    }
    if (key.length > MAX_KEY_LENGTH) {
      throw new ApiError(
        "badRequest",
        `Invalid "Idempotency-Key": it is longer than ${MAX_KEY_LENGTH} characters`,
      );
    }
    const id = JSON.stringify([c.get("principal").tokenId, c.req.path, key]);
    for (let earlier = kept.get(id); earlier !== undefined; earlier = kept.get(id)) {
      const answer = await earlier.answer;
      if (answer !== null && Date.now() - earlier.keptAt < KEPT_MS) {
        return c.body(answer, 200, { "content-type": "application/json", "idempotency-replayed": "true" });
      }
      if (kept.get(id) === earlier) kept.delete(id);
    }
    const { promise, resolve } = Promise.withResolvers<string | null>();
    keep(kept, id, promise);
    try {
      await next();
      resolve(c.res.ok ? await c.res.clone().text() : null);
    } finally {
      resolve(null);
    }
  };
}

function keep(kept: Map<string, Kept>, id: string, answer: Kept["answer"]): void {
  const [oldest] = kept.keys();
  if (kept.size >= MAX_ANSWERS && oldest !== undefined) kept.delete(oldest);
  kept.set(id, { keptAt: Date.now(), answer });
}
