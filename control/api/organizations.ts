import { type Context, Hono } from "hono";
import type { Organization } from "../model.ts";
import type { ApiDeps, ApiEnv } from "./deps.ts";
import { ApiError } from "./errors.ts";

/** `/v1/organizations…` apart from their projects. */
export function organizationRoutes({ store }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/", (c) => {
      const organization = store.organizations.get(c.get("principal").organizationId);
      return c.json(organization === null ? [] : [organization]);
    })
    .get("/:organizationId", (c) => c.json(findOrganization(c, store, c.req.param("organizationId"))));
}

/**
 * The organization, if the token is of it.
 *
 * @throws {ApiError} `organizationNotFound`.
 */
export function findOrganization(
  c: Context<ApiEnv>,
  store: ApiDeps["store"],
  organizationId: string,
): Organization {
  const isOwn = organizationId === c.get("principal").organizationId;
  const organization = isOwn ? store.organizations.get(organizationId) : null;
  if (organization === null) {
    throw new ApiError("organizationNotFound", `Organization "${organizationId}" does not exist`);
  }
  return organization;
}
