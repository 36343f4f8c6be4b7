import type { Organization } from "../../model.ts";
import { CliError } from "../cli_error.ts";
import type { ApiClient } from "../client.ts";
import { listOrganizations } from "./organization_calls.ts";

/**
 * The organization that `--org` or ISOLA_ORG names, else the only one that the access token reaches.
 *
 * @param wanted Name, in whatever case, or id.
 * @throws {CliError} There is none of that name, none at all, or several and none was named.
 */
export async function chosenOrganization(
  client: ApiClient,
  wanted: string | undefined,
): Promise<Organization> {
  const all = await listOrganizations(client);
  const names = all.map(({ name }) => name).join(", ");
  if (wanted !== undefined) {
    const found = organizationNamed(all, wanted);
    if (found !== undefined) return found;
    throw new CliError(
      "failed",
      `Cannot use organization "${wanted}": this access token reaches ${names || "none"}`,
    );
  }
  if (all.length > 1) {
    throw new CliError(
      "usage",
      `Which organization is meant? Give --org NAME or ISOLA_ORG, one of: ${names}`,
    );
  }
  if (all[0] !== undefined) return all[0];
  throw new CliError("failed", "There is no organization yet: make one with isola orgs create NAME");
}

/** The one of that name, in whatever case, or id. */
export function organizationNamed(all: readonly Organization[], nameOrId: string): Organization | undefined {
  const name = nameOrId.toLowerCase();
  return all.find((organization) => organization.id === nameOrId || organization.name.toLowerCase() === name);
}
