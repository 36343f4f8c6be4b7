import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Organization } from "../../model.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { readJson, readQuery } from "../input.ts";
import { listQuery, pageLinks } from "../paging.ts";

const query = listQuery(["name", "created_at", "updated_at"], "created_at");
/** What an organization is made of. */
export const organizationBody = z.object({
  name: z.string().regex(
    /^[\p{L}\p{N}](?:[\p{L}\p{N} ._-]{0,62}[\p{L}\p{N}])?$/u,
    `must be 1 to 64 letters, digits, spaces, ".", "_" and "-", with a letter or digit at either end`,
  ),
});

/** `/v1/organizations` and `/v1/organizations/{id}`, apart from what they have. */
export function organizationRoutes({ store }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/", (c) => {
      const options = readQuery(c.req.query(), query);
      const listed = store.organizations.list(c.get("principal").organizationId, options);
      c.header("link", pageLinks(c.req.url, options, listed));
      return c.json(listed.items);
    })
    .post("/", async (c) => {
      const { name } = await readJson(c.req.raw, organizationBody);
      return c.json(store.organizations.create(name));
    })
    .get("/:organizationId", (c) => c.json(findOrganization(c, store, c.req.param("organizationId"))))
    .patch("/:organizationId", async (c) => {
      const { id } = findOrganization(c, store, c.req.param("organizationId"));
      const { name } = await readJson(c.req.raw, organizationBody);
      return c.json(store.organizations.rename(id, name) ?? unknownOrganization(id));
    })
    .delete("/:organizationId", (c) => {
      const { id } = findOrganization(c, store, c.req.param("organizationId"));
      store.organizations.delete(id);
      return c.body(null, 200);
    });
}

/**
 * The organization, if it is the token's, or the token is of the machine. What a token of one project may do in it, the
 * routes' table has decided.
 *
 * @throws {ApiError} `organizationNotFound`.
 */
export function findOrganization(
  c: Context<ApiEnv>,
  store: ApiDeps["store"],
  organizationId: string,
): Organization {
  const { organizationId: own } = c.get("principal");
  const organization = own === null || own === organizationId
    ? store.organizations.get(organizationId)
    : null;
  if (organization === null) unknownOrganization(organizationId);
  c.set("organizationId", organization.id);
  return organization;
}

function unknownOrganization(organizationId: string): never {
  throw new ApiError("organizationNotFound", `Organization "${organizationId}" does not exist`);
}
