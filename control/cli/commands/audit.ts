import { listTokens } from "../access/token_calls.ts";
import type { ApiAuditRecord } from "../api_shapes.ts";
import { CliError } from "../cli_error.ts";
import type { ApiClient } from "../client.ts";
import { type CommandContext, defineCommand, type Option } from "../command.ts";
import { timeRange } from "../point_in_time.ts";
import { printable } from "../terminal.ts";

const DEFAULT_LIMIT = 50;
/** What one call may return. */
const MAX_LIMIT = 1000;
const OPTIONS = {
  since: { type: "string", value: "TIME", help: "only changes since then: 10m, 2h, 30d or an ISO 8601 time" },
  until: { type: "string", value: "TIME", help: "only changes until then" },
  by: { type: "string", value: "TOKEN", help: "only changes made with the access token of that name or id" },
  limit: {
    type: "string",
    value: "N",
    help: `at most so many, the newest (${DEFAULT_LIMIT}; up to ${MAX_LIMIT})`,
  },
} as const satisfies Record<string, Option>;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

type Context = CommandContext<typeof OPTIONS>;

/** `isola audit`: who changed what. */
export const audit = defineCommand({
  name: "audit",
  summary: "Show who changed what, and when",
  usage: ["audit [--since TIME] [--until TIME] [--by TOKEN] [--org NAME] [--limit N]"],
  details:
    "Each successful change is kept for a year: the access token that made it, what it did to what, and the address that\n" +
    "it came from. A token of an organization sees that organization's; one with the role admin sees all, or with --org\n" +
    "those of one. Contents and secrets are not in it.",
  options: OPTIONS,
  remote: true,
  examples: ["isola audit --since 7d", "isola audit --by ci --json"],
  async run({ options, client, json, terminal }: Context) {
    const records = await client().json<ApiAuditRecord[]>({
      action: "read the audit log",
      path: "/v1/audit",
      query: {
        ...timeRange(options),
        limit: checkedLimit(options.limit),
        tokenId: options.by === undefined ? undefined : await tokenId(client(), options.by),
        organizationId: await client().chosenOrganizationId(),
      },
    });
    if (json) return terminal.printJson(records);
    if (records.length === 0) return terminal.note("No changes");
    const rows = records.toReversed().map(({ time, actor, action, target, address }) =>
      [time.slice(0, 19).replace("T", " "), action, shortId(target ?? "-"), actor, address ?? "-"].map(
        printable,
      )
    );
    terminal.printTable(["TIME (UTC)", "ACTION", "TARGET", "BY", "FROM"], rows);
  },
});

/** As much of a UUID as tells it from the others on a page; `--json` has all of it. */
function shortId(target: string): string {
  return UUID.test(target) ? target.slice(0, 8) : target;
}

function checkedLimit(text: string | undefined): number {
  const limit = text === undefined ? DEFAULT_LIMIT : Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new CliError("usage", `Cannot use --limit "${text}": must be 1 to ${MAX_LIMIT}`);
}

/** Of a revoked token only the id is known. */
async function tokenId(client: ApiClient, nameOrId: string): Promise<string> {
  const found = (await listTokens(client)).find(({ id, name }) => id === nameOrId || name === nameOrId);
  return found?.id ?? nameOrId;
}
