import type { ApiDeployment } from "../api_shapes.ts";
import { CliError } from "../cli_error.ts";
import type { ApiClient } from "../client.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { existingProject } from "../existing_project.ts";
import { appLogLine, levelColor, readAppLogs } from "../log_lines.ts";
import { parseDurationMs } from "../quantity.ts";
import { printable } from "../terminal.ts";

const DEFAULT_LINES = 100;
/** What one call may return (reference document). */
const MAX_LINES = 10_000;
const LEVELS = ["error", "warning", "info", "debug"];

/** `isola logs`: what a deployment wrote, or its build. */
export const logs = defineCommand({
  name: "logs",
  summary: "Show the log of a deployment",
  usage: ["logs --project NAME [OPTIONS]", "logs --deployment ID [OPTIONS]"],
  details:
    `Of a project: its production deployment, else its newest. Without --since: the last ${DEFAULT_LINES} lines.\n` +
    "With --json: one object a line.",
  options: {
    project: { type: "string", short: "p", value: "NAME", help: "project whose log is shown" },
    deployment: { type: "string", short: "d", value: "ID", help: "deployment whose log is shown" },
    follow: { type: "boolean", short: "f", help: "go on with new lines until interrupted" },
    build: { type: "boolean", help: "the log of its build instead" },
    level: {
      type: "string",
      multiple: true,
      value: "LEVEL",
      help: `only lines of that level: ${LEVELS.join(", ")}`,
    },
    since: { type: "string", value: "TIME", help: "only lines since then: 10m, 2h, 1d or an ISO 8601 time" },
  },
  remote: true,
  examples: ["isola logs -f --project hello", "isola logs --deployment a1b2c3d4e5f6 --build"],
  async run(context) {
    const { options, client, json, terminal, deps } = context;
    const selection = {
      level: checkedLevels(options.level),
      since: startTime(options.since),
      limit: options.since === undefined ? DEFAULT_LINES : MAX_LINES,
    };
    const id = options.deployment ?? (await currentDeployment(client(), options.project)).id;
    if (options.build) return await showBuildLog(context, id);
    const follow = options.follow ? deps.signal : undefined;
    for await (const line of readAppLogs(client(), id, { ...selection, follow })) {
      if (json) terminal.print(JSON.stringify(line));
      else terminal.print(appLogLine(line), levelColor(line.level));
    }
  },
});

async function showBuildLog({ client, json, terminal }: CommandContext, id: string): Promise<void> {
  for await (const line of await client().buildLogs(id)) {
    if (json) terminal.print(JSON.stringify(line));
    else terminal.print(printable(line.message).trimEnd(), levelColor(line.level));
  }
}

async function currentDeployment(client: ApiClient, name: string | undefined): Promise<ApiDeployment> {
  if (!name) throw new CliError("usage", "Cannot show a log: name its --project or --deployment");
  const project = await existingProject(client, name);
  const newestFirst = await client.deployments(project.id);
  const current = newestFirst.find(({ production }) => production) ?? newestFirst[0];
  if (!current) {
    throw new CliError("failed", `Cannot show a log: project "${project.name}" has no deployment`);
  }
  return current;
}

function checkedLevels(levels: readonly string[]): string | undefined {
  const all = levels.flatMap((level) => level.split(","));
  const unknown = all.find((level) => !LEVELS.includes(level));
  if (unknown === undefined) return all.join(",") || undefined;
  throw new CliError("usage", `Cannot use --level "${unknown}": must be ${LEVELS.join(", ")}`);
}

function startTime(since: string | undefined): string | undefined {
  if (since === undefined) return undefined;
  const agoMs = parseDurationMs(since);
  const time = agoMs === undefined ? new Date(since) : new Date(Date.now() - agoMs);
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw new CliError("usage", `Cannot use --since "${since}": must be like 10m, 2h, 1d, or an ISO 8601 time`);
}
