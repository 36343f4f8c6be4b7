import { CliError } from "../cli_error.ts";
import { type CommandContext, defineCommand, type Option } from "../command.ts";
import { existingProject } from "../existing_project.ts";
import { timeRange } from "../point_in_time.ts";
import { formatBytes, formatElapsed } from "../quantity.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Rows of a longer time are added up by the day. */
const MAX_BY_HOUR_MS = 3 * DAY_MS;
const OPTIONS = {
  project: {
    type: "string",
    short: "p",
    value: "NAME",
    help: "what that project has used; without it: the organization, at most a day",
    linked: true,
  },
  since: { type: "string", value: "TIME", help: "from then on: 2h, 7d or an ISO 8601 time (24h)" },
  until: { type: "string", value: "TIME", help: "up to then" },
} as const satisfies Record<string, Option>;

/** `Analytics` of the reference document. */
interface Analytics {
  fields: { name: string }[];
  values: (string | number)[][];
}

/** What was used in some time. */
interface Use {
  requests: number;
  cpuSeconds: number;
  uptimeSeconds: number;
  memoryBytes: number;
  inBytes: number;
  outBytes: number;
}

/** `isola analytics`: what a project, or the organization, has used. */
export const analytics = defineCommand({
  name: "analytics",
  summary: "Show what a project or the organization has used",
  usage: ["analytics [--project NAME] [--since TIME] [--until TIME]"],
  details:
    "Requests, CPU, the time that isolates were up, the most memory and the bytes in and out: by the hour, of more than\n" +
    "three days by the day. It is kept for a year. With --json: rows of 15 minutes.",
  options: OPTIONS,
  remote: true,
  examples: ["isola analytics --project shop --since 7d", "isola analytics --json"],
  async run({ options, client, json, terminal }: CommandContext<typeof OPTIONS>) {
    const { since, until } = timeRange(options);
    const scope = options.project === undefined
      ? `organizations/${(await client().organization()).id}`
      : `projects/${(await existingProject(client(), options.project)).id}`;
    const found = await client().json<Analytics>({
      action: "read analytics",
      path: `/v1/${scope}/analytics`,
      query: { since, until },
    });
    if (json) return terminal.printJson(found);
    const endMs = until === undefined ? Date.now() : Date.parse(until);
    const spanMs = since === undefined ? DAY_MS : endMs - Date.parse(since);
    const uses = addUp(found, spanMs > MAX_BY_HOUR_MS ? "day" : "hour");
    if (uses.size === 0) return terminal.note("Nothing was used in that time");
    const rows = [...uses].map(([time, use]) => [time, ...cells(use)]);
    rows.push(["all", ...cells([...uses.values()].reduce(add))]);
    const header = ["TIME (UTC)", "REQUESTS", "CPU", "UP", "MEMORY", "IN", "OUT"];
    terminal.printTable(header, rows);
  },
});

/** By the beginning of each hour or day in which something was used. */
function addUp({ fields, values }: Analytics, unit: "hour" | "day"): Map<string, Use> {
  const column = (name: string) => {
    const index = fields.findIndex((field) => field.name === name);
    if (index < 0) throw new CliError("failed", `Cannot read analytics: the server tells no "${name}"`);
    return (row: (string | number)[]) => Number(row[index]);
  };
  const [requests, cpuSeconds, uptimeSeconds] = ["requestCount", "cpuSeconds", "uptimeSeconds"].map(column);
  const [memoryBytes, inBytes, outBytes] = [
    "maxRssMemoryBytes",
    "networkIngressBytes",
    "networkEgressBytes",
  ].map(column);
  const time = fields.findIndex(({ name }) => name === "time");
  const uses = new Map<string, Use>();
  for (const row of values) {
    const use: Use = {
      requests: requests!(row),
      cpuSeconds: cpuSeconds!(row),
      uptimeSeconds: uptimeSeconds!(row),
      memoryBytes: memoryBytes!(row),
      inBytes: inBytes!(row),
      outBytes: outBytes!(row),
    };
    if (Object.values(use).every((value) => value === 0)) continue;
    const text = String(row[time]);
    const key = unit === "day" ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, 13)}:00`;
    const before = uses.get(key);
    uses.set(key, before === undefined ? use : add(before, use));
  }
  return uses;
}

function add(one: Use, other: Use): Use {
  return {
    requests: one.requests + other.requests,
    cpuSeconds: one.cpuSeconds + other.cpuSeconds,
    uptimeSeconds: one.uptimeSeconds + other.uptimeSeconds,
    memoryBytes: Math.max(one.memoryBytes, other.memoryBytes),
    inBytes: one.inBytes + other.inBytes,
    outBytes: one.outBytes + other.outBytes,
  };
}

function cells(
  { requests, cpuSeconds, uptimeSeconds, memoryBytes, inBytes, outBytes }: Use,
): (string | number)[] {
  return [
    requests,
    formatElapsed(cpuSeconds * 1000),
    formatElapsed(uptimeSeconds * 1000),
    formatBytes(memoryBytes),
    formatBytes(inBytes),
    formatBytes(outBytes),
  ];
}
