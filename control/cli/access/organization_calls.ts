import type { Organization } from "../../model.ts";
import type { ApiClient } from "../client.ts";

/** Those that the access token reaches, by name. */
export async function listOrganizations(client: ApiClient): Promise<Organization[]> {
  return await client.pages({
    action: "list organizations",
    path: "/v1/organizations",
    query: { sort: "name" },
  });
}

/** Makes one. */
export async function createOrganization(client: ApiClient, name: string): Promise<Organization> {
  return await client.json({
    action: `create organization "${name}"`,
    method: "POST",
    path: "/v1/organizations",
    json: { name },
  });
}

/** Gives one another name. */
export async function renameOrganization(
  client: ApiClient,
  { id, name }: Organization,
  newName: string,
): Promise<Organization> {
  return await client.json({
    action: `rename organization "${name}"`,
    method: "PATCH",
    path: `/v1/organizations/${id}`,
    json: { name: newName },
  });
}

/** Deletes one that has no projects and no domains. */
export async function deleteOrganization(client: ApiClient, { id, name }: Organization): Promise<void> {
  const path = `/v1/organizations/${id}`;
  await client.done({ action: `delete organization "${name}"`, method: "DELETE", path });
}
