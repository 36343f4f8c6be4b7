import type { MiddlewareHandler } from "hono";
import type { Principal, Role } from "../../store/mod.ts";
import { hasRole } from "./access.ts";
import type { ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { type MatchedRoute, matchedRoute, shapeOf } from "./matched_route.ts";

/** Where another role is needed than `read` to read and `write` for all else. Names of parameters do not matter. */
const ROLES = new Map<string, Role>(
  [
    ["POST /projects/:/deployments", "deploy"],
    ["POST /projects/:/deployment_with_assets", "deploy"],
    ["POST /projects/:/assets/negotiate", "deploy"],
    ["PUT /projects/:/assets/:", "deploy"],
    ["POST /deployments/:/redeploy", "deploy"],
    ["POST /deployments/:/promote", "deploy"],
    ["POST /projects/:/git/sync", "deploy"],
    ["GET /tokens", "write"],
    ["GET /audit", "write"],
    ["GET /isolates", "admin"],
    ["GET /subhosters", "admin"],
    ["GET /subhosters/:", "admin"],
    ["GET /subhosters/:/logs", "admin"],
    ["GET /refused_tokens", "admin"],
    ["POST /organizations", "admin"],
    ["PATCH /organizations/:", "admin"],
    ["DELETE /organizations/:", "admin"],
  ] satisfies [string, Role][],
);

/** What a token of one project may call beside that project's own: of its organization it sees little. */
const OPEN_TO_PROJECTS = /^(?:\/projects\/:|\/deployments\/:|\/tokens(?:\/|$))/;
const READABLE_FOR_PROJECTS = /^\/(?:meta|organizations(?:\/:(?:\/projects)?)?)$/;

/** Refuses what the token's role or bound does not allow, before anything is looked up. */
export function authorize(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const route = matchedRoute(c);
    const problem = route === null ? null : prohibition(c.get("principal"), route);
    if (problem !== null) throw new ApiError("forbidden", `Cannot ${c.req.method} ${c.req.path}: ${problem}`);
    await next();
  };
}

/** Why a token may not make a call at all, whatever it is about; `null` if it may. */
function prohibition(principal: Principal, route: MatchedRoute): string | null {
  const shape = shapeOf(route);
  const isRead = route.method === "GET";
  const role = ROLES.get(`${route.method} ${shape}`) ?? (isRead ? "read" : "write");
  if (!hasRole(principal, role)) {
    return `the access token "${principal.name}" has the role "${principal.role}", this needs "${role}"`;
  }
  const isOpen = OPEN_TO_PROJECTS.test(shape) || isRead && READABLE_FOR_PROJECTS.test(shape);
  if (principal.projectId !== null && !isOpen) {
    return `the access token "${principal.name}" is bound to one project, this is about its organization`;
  }
  return null;
}
