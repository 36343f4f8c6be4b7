import { Hono } from "hono";
import { z } from "zod";
import { admits } from "../access/access.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { readJson, readQuery } from "../input.ts";
import { findOrganization } from "../access/organizations.ts";
import { listQuery, pageLinks } from "../paging.ts";

const query = listQuery(["created_at"], "created_at");
const body = z.object({ description: z.string().max(1000).nullish() });

/** `/v1/organizations/{id}/databases` and `/v1/databases/{id}`. */
export function databaseRoutes({ store }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/organizations/:organizationId/databases", (c) => {
      const { id } = findOrganization(c, store, c.req.param("organizationId"));
      const options = readQuery(c.req.query(), query);
      const listed = store.databases.list(id, options);
      c.header("link", pageLinks(c.req.url, options, listed));
      return c.json(listed.items);
    })
    .post("/organizations/:organizationId/databases", async (c) => {
      const { id } = findOrganization(c, store, c.req.param("organizationId"));
      const { description } = await readJson(c.req.raw, body);
      return c.json(store.databases.create({ organizationId: id, description: description ?? "" }));
    })
    .patch("/databases/:databaseId", async (c) => {
      const database = store.databases.get(c.req.param("databaseId"));
      if (database === null || !admits(c, { organizationId: database.organizationId, id: null })) {
        throw new ApiError("databaseNotFound", `Database "${c.req.param("databaseId")}" does not exist`);
      }
      const { description } = await readJson(c.req.raw, body);
      if (typeof description !== "string") return c.json(database);
      return c.json(store.databases.describe(database.id, description) ?? database);
    });
}

/**
 * Checks which databases a deployment is to have, by binding.
 *
 * @throws {ApiError} `badRequest`: the organization has none of that id.
 */
export function checkDatabases(
  { store }: ApiDeps,
  organizationId: string,
  databases: Record<string, string | null>,
): void {
  for (const [binding, id] of Object.entries(databases)) {
    if (id === null || store.databases.get(id)?.organizationId === organizationId) continue;
    throw new ApiError("badRequest", `Invalid request: "databases.${binding}": "${id}" does not exist`);
  }
}
