import type { Context } from "hono";
import { matchedRoutes } from "hono/route";

/** The route that answers a request. */
export interface MatchedRoute {
  method: string;
  /** Without `/v1`, `/api` and `/api/v1`: `/projects/:projectId`. */
  pattern: string;
}

const PREFIX = /^(?:\/api)?(?:\/v1)?(?=\/)/;

/** A pattern for comparing: names of parameters do not matter. `/projects/:projectId` is `/projects/:`. */
export function shapeOf({ pattern }: MatchedRoute): string {
  return pattern.replace(/:[^/]+/g, ":");
}

/** The route that answers a request; `null` if there is none. Middleware, which answers to every method, is none. */
export function matchedRoute(c: Context): MatchedRoute | null {
  const route = matchedRoutes(c).find(({ method }) => method !== "ALL");
  return route === undefined ? null : { method: route.method, pattern: route.path.replace(PREFIX, "") };
}
