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

/** A column of the table: the field that it shows, and how. */
interface Column {
  title: string;
  field: string;
  format(value: number): string | number;
  /** Of two times together. @default {their sum} */
  add?(one: number, other: number): number;
}

const COLUMNS: readonly Column[] = [
  { title: "REQUESTS", field: "requestCount", format: (count) => count },
  { title: "CPU", field: "cpuSeconds", format: formatSeconds },
  { title: "UP", field: "uptimeSeconds", format: formatSeconds },
  { title: "MEMORY", field: "maxRssMemoryBytes", format: formatBytes, add: Math.max },
  { title: "IN", field: "networkIngressBytes", format: formatBytes },
  { title: "OUT", field: "networkEgressBytes", format: formatBytes },
];

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
    const rows = [...uses, ["all", [...uses.values()].reduce(add)] as const].map(([time, use]) => [
      time,
      ...COLUMNS.map(({ format }, index) => format(use[index]!)),
    ]);
    const header = ["TIME (UTC)", ...COLUMNS.map(({ title }) => title)];
    terminal.printTable(header, rows);
  },
});

/** What {@linkcode COLUMNS} come to, by the beginning of each hour or day in which something was used. */
function addUp({ fields, values }: Analytics, unit: "hour" | "day"): Map<string, number[]> {
  const indexOf = (name: string) => {
    const index = fields.findIndex((field) => field.name === name);
    if (index < 0) throw new CliError("failed", `Cannot read analytics: the server tells no "${name}"`);
    return index;
  };
  const time = indexOf("time");
  const indexes = COLUMNS.map(({ field }) => indexOf(field));
  const uses = new Map<string, number[]>();
  for (const row of values) {
    const use = indexes.map((index) => Number(row[index]));
    if (use.every((value) => value === 0)) continue;
    const text = String(row[time]);
    const key = unit === "day" ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, 13)}:00`;
    const before = uses.get(key);
    uses.set(key, before === undefined ? use : add(before, use));
  }
  return uses;
}

function add(one: readonly number[], other: readonly number[]): number[] {
  return COLUMNS.map(({ add = sum }, index) => add(one[index]!, other[index]!));
}

function sum(one: number, other: number): number {
  return one + other;
}

function formatSeconds(seconds: number): string {
  return formatElapsed(seconds * 1000);
}
