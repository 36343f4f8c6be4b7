import type { Context, MiddlewareHandler } from "hono";
import type { AuditLog } from "../../store/mod.ts";
import type { ApiEnv } from "../deps.ts";
import { type MatchedRoute, matchedRoute, shapeOf } from "./matched_route.ts";

const VERBS: Readonly<Record<string, string>> = {
  POST: "create",
  PUT: "set",
  PATCH: "update",
  DELETE: "delete",
};
/** Where the route does not say it well. Names of parameters do not matter. */
const WORDS: Readonly<Record<string, string>> = {
  "PUT /deployments/:/domains/:": "attach domain",
  "DELETE /deployments/:/domains/:": "detach domain",
  "POST /domains/:/certificates": "upload certificate",
  "DELETE /tokens/:": "revoke token",
};
/** Contents that belong to nothing yet; and a call that is answered before it has changed anything, and records it itself. */
const UNRECORDED = [
  "POST /projects/:/assets/negotiate",
  "PUT /projects/:/assets/:",
  "POST /projects/:/deployment_with_assets",
];

/** Records each call that changed something. */
export function audited(audit: AuditLog): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    await next();
    const route = matchedRoute(c);
    if (route === null || route.method === "GET" || c.res.status >= 400) return;
    if (UNRECORDED.includes(callOf(route)) || c.res.headers.has("idempotency-replayed")) return;
    recordChange(c, audit, {
      action: actionOf(route),
      target: await createdId(c, route) ?? lastParameter(c),
    });
  };
}

/** Records what the token of a call has changed. A change is not undone because it could not be recorded. */
export function recordChange(
  c: Context<ApiEnv>,
  audit: AuditLog,
  { action, target }: { action: string; target: string | null },
): void {
  const { tokenId, name, organizationId } = c.get("principal");
  try {
    audit.record({
      organizationId: c.get("organizationId") ?? organizationId,
      tokenId,
      actor: name,
      action,
      target,
      address: c.env.address,
    });
  } catch (error) {
    console.error(`Cannot record that "${name}" did ${action} "${target}":`, error);
  }
}

/** A call in words: a verb and a noun. */
export function actionOf(route: MatchedRoute): string {
  const words = WORDS[callOf(route)];
  if (words !== undefined) return words;
  const segments = route.pattern.split("/").filter(Boolean);
  const nouns = segments.filter((segment) => !segment.startsWith(":"));
  const last = nouns.at(-1) ?? "";
  // What follows a noun and is none itself is a verb: /deployments/:deploymentId/promote.
  const isVerb = route.method === "POST" && nouns.length > 1 && !last.endsWith("s");
  const [verb, noun] = isVerb ? [last, nouns.at(-2)!] : [VERBS[route.method] ?? route.method, last];
  return `${verb} ${singular(noun)}`.replaceAll("_", " ");
}

function callOf(route: MatchedRoute): string {
  return `${route.method} ${shapeOf(route)}`;
}

function singular(noun: string): string {
  return noun.replace(/ies$/, "y").replace(/([^s])s$/, "$1");
}

/** What a call has made says its id in the answer. */
async function createdId(c: Context<ApiEnv>, { method }: MatchedRoute): Promise<string | null> {
  const isJson = c.res.headers.get("content-type")?.startsWith("application/json") ?? false;
  if (method !== "POST" || !isJson) return null;
  const { id } = await c.res.clone().json().catch(() => null) ?? {};
  return typeof id === "string" ? id : null;
}

function lastParameter(c: Context<ApiEnv>): string | null {
  return Object.values(c.req.param()).at(-1) ?? null;
}
