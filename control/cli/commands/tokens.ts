import {
  createToken,
  listTokens,
  readOwnToken,
  revokeToken,
  type TokenRequest,
} from "../access/token_calls.ts";
import { tokenRows } from "../access/token_rows.ts";
import type { ApiRole, ApiToken } from "../api_shapes.ts";
import { chosenAction } from "../chosen_action.ts";
import { CliError } from "../cli_error.ts";
import type { ApiClient } from "../client.ts";
import { type CommandContext, defineCommand, type Option } from "../command.ts";
import { existingProject } from "../existing_project.ts";
import { parseTime } from "../point_in_time.ts";

const ROLES: readonly ApiRole[] = ["admin", "write", "deploy", "read"];
const OPTIONS = {
  role: {
    type: "string",
    value: "ROLE",
    help: "what a new token may do: write (default), deploy (and read), read, admin (the machine)",
  },
  project: { type: "string", short: "p", value: "NAME", help: "bind a new token to this project" },
  expires: {
    type: "string",
    value: "TIME",
    help: "when a new token ends: in 12h, 90d, or at an ISO 8601 time",
  },
} as const satisfies Record<string, Option>;

type Context = CommandContext<typeof OPTIONS>;

/** `isola tokens`: list, create, revoke. */
export const tokens = defineCommand({
  name: "tokens",
  summary: "List, create and revoke access tokens",
  usage: [
    "tokens [list]",
    "tokens create NAME [--role ROLE] [--project NAME | --org NAME] [--expires TIME]",
    "tokens revoke NAME|ID",
  ],
  details:
    "A token is bound to one project, to one organization, or, with the role admin, to nothing: it manages the whole\n" +
    "machine. A token makes only tokens with no more rights than its own. The text of a new one is printed once, on\n" +
    "standard output, and kept only as a hash. A revoked token is refused from that moment on.",
  options: OPTIONS,
  remote: true,
  examples: [
    "isola tokens",
    "isola tokens create ci --role deploy --project hello --expires 30d",
    "isola tokens create second-admin --role admin",
    "isola tokens revoke ci",
  ],
  async run(context) {
    const { positionals: [action = "list", name] } = context;
    if (action === "list") return await list(context);
    const act = chosenAction(action, { of: "tokens", actions: { create, revoke }, besides: ["list"] });
    if (!name) throw new CliError("usage", `Cannot ${action} an access token without its name`);
    await act(context, name);
  },
});

async function create({ options, client, json, terminal }: Context, name: string): Promise<void> {
  const role = checkedRole(options.role ?? "write");
  const expiresAt = endTime(options.expires);
  const bound = await boundOf(client(), role, options.project);
  const made = await createToken(client(), { name, role, ...bound, ...expiresAt && { expiresAt } });
  if (json) return terminal.printJson(made);
  terminal.print(made.token);
  terminal.note(`Created access token "${name}" (${role}). It is shown this once: keep it`);
}

async function revoke({ client, json, terminal }: Context, nameOrId: string): Promise<void> {
  const token = await existing(client(), nameOrId);
  await revokeToken(client(), token);
  if (json) terminal.printJson(token);
  else terminal.print(`Revoked access token "${token.name}"`);
}

async function list({ client, json, terminal }: Context): Promise<void> {
  const organizationId = await client().chosenOrganizationId();
  const all = (await listTokens(client())).filter((token) =>
    organizationId === undefined || token.organizationId === organizationId
  );
  if (json) return terminal.printJson(all);
  const header = ["NAME", "ROLE", "REACHES", "EXPIRES", "LAST USED", "AGE", "ID"];
  terminal.printTable(header, await tokenRows(client(), all));
}

function checkedRole(role: string): ApiRole {
  const known = ROLES.find((name) => name === role);
  if (known === undefined) {
    throw new CliError("usage", `Unknown role "${role}": known are ${ROLES.join(", ")}`);
  }
  return known;
}

/** A token of one project needs no organization to be named, nor does one that a token of one project makes. */
async function boundOf(
  client: ApiClient,
  role: ApiRole,
  project: string | undefined,
): Promise<Pick<TokenRequest, "organizationId" | "projectId">> {
  if (project !== undefined) {
    if (role === "admin") {
      throw new CliError(
        "usage",
        'Cannot bind a token with the role "admin" to a project: leave out one of both',
      );
    }
    return { projectId: (await existingProject(client, project)).id };
  }
  if (role === "admin") return {};
  const { projectId } = await readOwnToken(client);
  return projectId === null ? { organizationId: (await client.organization()).id } : { projectId };
}

/** ISO 8601; `undefined` = it is not said. */
function endTime(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const time = parseTime(text, "from now");
  if (time !== undefined) return time;
  throw new CliError("usage", `Cannot use --expires "${text}": must be 12h, 90d or an ISO 8601 time`);
}

async function existing(client: ApiClient, nameOrId: string): Promise<ApiToken> {
  const found = (await listTokens(client)).filter(({ id, name }) => id === nameOrId || name === nameOrId);
  if (found.length === 1) return found[0]!;
  const problem = found.length === 0
    ? "there is none of that name, see isola tokens"
    : `several organizations have one: give its id, one of ${found.map(({ id }) => id).join(", ")}`;
  throw new CliError("failed", `Cannot revoke access token "${nameOrId}": ${problem}`);
}
