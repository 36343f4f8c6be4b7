import type { Organization } from "../../model.ts";
import { organizationNamed } from "../access/chosen_organization.ts";
import {
  createOrganization,
  deleteOrganization,
  listOrganizations,
  renameOrganization,
} from "../access/organization_calls.ts";
import { chosenAction } from "../chosen_action.ts";
import { CliError } from "../cli_error.ts";
import type { ApiClient } from "../client.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { formatSince } from "../quantity.ts";

/** `isola orgs`: list, create, rename, delete. */
export const orgs = defineCommand({
  name: "orgs",
  summary: "List, create, rename and delete organizations",
  usage: ["orgs [list]", "orgs create NAME", "orgs rename NAME NEW_NAME", "orgs delete NAME"],
  details:
    "An organization has projects, domains and access tokens, and sees nothing of the others. To create, rename and\n" +
    "delete needs a token with the role admin. Only an organization without projects and domains is deleted; its access\n" +
    "tokens go with it. Other commands take the organization from --org or ISOLA_ORG, where there are several.",
  options: {},
  remote: true,
  examples: ["isola orgs", "isola orgs create acme", "isola tokens create ci --role deploy --org acme"],
  async run(context) {
    const { positionals: [action = "list", ...names], json, terminal } = context;
    if (action === "list") return await list(context);
    const act = chosenAction(action, { of: "orgs", actions: ACTIONS, besides: ["list"] });
    const { done, organization } = await act(context.client(), names);
    if (json) terminal.printJson(organization);
    else terminal.print(done);
  },
});

type Action = (
  client: ApiClient,
  names: readonly string[],
) => Promise<{ done: string; organization: Organization }>;

const ACTIONS: Record<string, Action> = {
  async create(client, [name]) {
    if (!name) throw new CliError("usage", "Cannot create an organization without its name");
    const organization = await createOrganization(client, name);
    return { done: `Created organization "${organization.name}"`, organization };
  },
  async rename(client, [name, newName]) {
    if (!newName) throw new CliError("usage", "Cannot rename an organization without its name and a new one");
    const organization = await renameOrganization(client, await existing(client, "rename", name), newName);
    return { done: `Renamed organization "${name}" to "${organization.name}"`, organization };
  },
  async delete(client, [name]) {
    const organization = await existing(client, "delete", name);
    await deleteOrganization(client, organization);
    return { done: `Deleted organization "${organization.name}"`, organization };
  },
};

async function existing(client: ApiClient, action: string, name: string | undefined): Promise<Organization> {
  if (!name) throw new CliError("usage", `Cannot ${action} an organization without its name`);
  const found = organizationNamed(await listOrganizations(client), name);
  if (found !== undefined) return found;
  throw new CliError(
    "failed",
    `Cannot ${action} organization "${name}": there is none of that name, see isola orgs`,
  );
}

async function list({ client, json, terminal }: CommandContext): Promise<void> {
  const all = await listOrganizations(client());
  if (json) return terminal.printJson(all);
  if (all.length === 0) return terminal.note("No organizations yet. Make one: isola orgs create NAME");
  const rows = all.map(({ name, id, createdAt }) => [name, id, formatSince(createdAt)]);
  terminal.printTable(["NAME", "ID", "AGE"], rows);
}
