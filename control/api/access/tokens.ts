import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Bound, NewToken, Principal, Token } from "../../store/mod.ts";
import { admits, hasRole } from "./access.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { readJson, readQuery } from "../input.ts";
import { findOrganization } from "./organizations.ts";
import { rfc3339 } from "../logs/rfc3339.ts";
import { listQuery, pageLinks } from "../paging.ts";
import { findProject } from "../projects/projects.ts";

const query = listQuery(["name", "created_at", "last_used_at"], "created_at");
const body = z.object({
  name: z.string().trim().regex(/^[^\p{C}]{1,100}$/u, "must be 1 to 100 characters"),
  role: z.enum(["admin", "write", "deploy", "read"]),
  organizationId: z.string().nullish(),
  projectId: z.string().nullish(),
  expiresAt: rfc3339.nullish(),
});

/** What a new token is to be. */
export type TokenRequest = z.infer<typeof body>;

/** `/v1/tokens`: access tokens, those within the bound of the token that asks. */
export function tokenRoutes({ store }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/", (c) => {
      const options = readQuery(c.req.query(), query);
      const listed = store.tokens.list(c.get("principal"), options);
      c.header("link", pageLinks(c.req.url, options, listed));
      return c.json(listed.items);
    })
    .post("/", async (c) => {
      const { token, text } = store.tokens.create(checkedToken(c, store, await readJson(c.req.raw, body)));
      return c.json({ ...token, token: text });
    })
    .get("/self", (c) => c.json(findToken(c, store, c.get("principal").tokenId)))
    .delete("/:tokenId", (c) => {
      store.tokens.revoke(findToken(c, store, c.req.param("tokenId")).id);
      return c.body(null, 200);
    });
}

/**
 * A token to make, with no more rights than the one of the call; without a bound of its own it has that of the call.
 *
 * @throws {ApiError} Why it is refused.
 */
export function checkedToken(c: Context<ApiEnv>, store: ApiDeps["store"], given: TokenRequest): NewToken {
  const principal = c.get("principal");
  const { name, role } = given;
  if (!hasRole(principal, role)) {
    throw new ApiError(
      "forbidden",
      `Cannot make a token with the role "${role}": the access token "${principal.name}" has the role "${principal.role}"`,
    );
  }
  const bound = readBound(c, store, given);
  if (role === "admin" && bound.organizationId !== null) {
    throw refused("role", `"admin" is of the whole machine: leave out "organizationId" and "projectId"`);
  }
  if (role !== "admin" && bound.organizationId === null) {
    throw refused("organizationId", `is needed for a token with the role "${role}", or "projectId"`);
  }
  return { name, role, ...bound, expiresAt: readExpiry(store, principal, given) };
}

function readBound(
  c: Context<ApiEnv>,
  store: ApiDeps["store"],
  { role, organizationId, projectId }: TokenRequest,
): Bound {
  const principal = c.get("principal");
  if (projectId) {
    const project = findProject(c, store, projectId);
    if (organizationId && organizationId !== project.organizationId) {
      throw refused("organizationId", `"${organizationId}" is not the organization of the project`);
    }
    return { organizationId: project.organizationId, projectId: project.id };
  }
  if (!organizationId) {
    if (role === "admin") return { organizationId: null, projectId: null };
    return { organizationId: principal.organizationId, projectId: principal.projectId };
  }
  if (principal.projectId !== null) {
    throw refused("projectId", `must be "${principal.projectId}", to which this access token is bound`);
  }
  return { organizationId: findOrganization(c, store, organizationId).id, projectId: null };
}

/** No later than that of the token which makes it. */
function readExpiry(
  store: ApiDeps["store"],
  { tokenId }: Principal,
  { expiresAt }: TokenRequest,
): string | null {
  const latest = store.tokens.get(tokenId)?.expiresAt ?? null;
  if (!expiresAt) return latest;
  const atMs = Date.parse(expiresAt);
  if (atMs <= Date.now()) throw refused("expiresAt", `"${expiresAt}" has passed`);
  if (latest !== null && atMs > Date.parse(latest)) {
    throw refused(
      "expiresAt",
      `must not be after ${latest}, when the access token that makes it expires itself`,
    );
  }
  return new Date(atMs).toISOString();
}

function findToken(c: Context<ApiEnv>, store: ApiDeps["store"], tokenId: string): Token {
  const token = store.tokens.get(tokenId);
  if (token === null || !isWithin(c, token)) {
    throw new ApiError("tokenNotFound", `Token "${tokenId}" does not exist`);
  }
  return token;
}

function isWithin(c: Context<ApiEnv>, { organizationId, projectId }: Bound): boolean {
  if (organizationId === null) return c.get("principal").organizationId === null;
  return admits(c, { organizationId, id: projectId });
}

function refused(field: string, problem: string): ApiError {
  return new ApiError("badRequest", `Invalid request: "${field}": ${problem}`);
}
