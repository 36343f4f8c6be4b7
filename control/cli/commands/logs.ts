import type { AccessLog, AppLog } from "../../model.ts";
import { CliError } from "../cli_error.ts";
import { type CommandContext, defineCommand, type OptionValues } from "../command.ts";
import { accessLogLine, appLogLine, levelColor, statusColor } from "../log_lines.ts";
import { followSuccession } from "../logs/follow_succession.ts";
import { checkedLevels, DEFAULT_LINES, joined, LOG_OPTIONS, logRange } from "../logs/log_options.ts";
import { accessLogSources, appLogSources, type NamedSource } from "../logs/log_sources.ts";
import { type LogRange, LogTail } from "../logs/log_tail.ts";
import { mergeByTime } from "../logs/merge_by_time.ts";
import { type Color, printable } from "../terminal.ts";

/** Of what stands before the lines of several logs. */
const LABEL_COLORS: readonly Color[] = ["cyan", "magenta", "green", "blue", "yellow"];

const OPTIONS = {
  project: {
    type: "string",
    multiple: true,
    short: "p",
    value: "NAME",
    help: "project whose log is shown",
    linked: true,
  },
  deployment: {
    type: "string",
    multiple: true,
    short: "d",
    value: "ID",
    help: "deployment whose log is shown",
  },
  ...LOG_OPTIONS,
  access: { type: "boolean", help: "the requests of the project instead, where its access log is on" },
  build: { type: "boolean", help: "the log of the build instead" },
  status: {
    type: "string",
    multiple: true,
    value: "STATUS",
    help: "with --access: only requests of that status, such as 404 or 5xx",
  },
  region: { type: "string", multiple: true, value: "NAME", help: "only lines of that region" },
} as const;

/** `isola logs`: what deployments wrote, what was asked of them, or their builds. */
export const logs = defineCommand({
  name: "logs",
  summary: "Show the logs of deployments and projects",
  usage: ["logs [--project NAME]… [--deployment ID]… [OPTIONS]"],
  details:
    `Of a project: its production deployment, also when that becomes another, else its newest. Without --since or --until: the last ${DEFAULT_LINES} lines of\n` +
    "each. A lost connection is tried again, and no line is missed. With --json: one object a line, which is the way to\n" +
    "export a log.",
  options: OPTIONS,
  remote: true,
  examples: [
    "isola logs -f --project hello --project shop",
    "isola logs --project hello --since 7d --json > hello.ndjson",
    "isola logs --project hello --access --status 5xx",
    "isola logs --deployment a1b2c3d4e5f6 --build",
  ],
  async run(context) {
    const { options, client } = context;
    checkCombination(options);
    const range = logRange(options);
    const targets = { projects: options.project, deployments: options.deployment };
    const query = { q: options.grep, region: joined(options.region) };
    if (options.build) return await showBuildLogs(context, await appLogSources(client(), targets, {}));
    if (options.access) {
      const sources = await accessLogSources(client(), targets, { ...query, status: joined(options.status) });
      for (const { label } of sources.filter(({ isOn }) => isOn === false)) {
        context.terminal.note(
          `No requests of "${label}" are recorded: isola projects update ${label} --access-log on`,
        );
      }
      return await show<AccessLog>(context, sources, range, (line) => [
        accessLogLine(line),
        statusColor(line.status),
      ]);
    }
    const sources = await appLogSources(client(), targets, { ...query, level: checkedLevels(options.level) });
    await show<AppLog>(context, sources, range, (line) => [appLogLine(line), levelColor(line.level)]);
  },
});

type LogsContext = CommandContext<typeof OPTIONS>;

/** Shows what is past, by time, and then, if that is wanted, what comes, as it comes. */
async function show<Line extends { time: string }>(
  { client, options, deps, terminal, json }: LogsContext,
  sources: readonly NamedSource[],
  range: LogRange,
  format: (line: Line) => [text: string, color: Color | undefined],
): Promise<void> {
  const width = Math.max(...sources.map(({ label }) => label.length));
  const print = (index: number, { label, deploymentId }: NamedSource, line: Line) => {
    if (json) return terminal.print(JSON.stringify({ ...line, ...(deploymentId && { deploymentId }) }));
    const color = LABEL_COLORS[index % LABEL_COLORS.length]!;
    terminal.print(
      ...format(line),
      sources.length > 1 ? { text: `${label.padEnd(width)} `, color } : undefined,
    );
  };
  const lost = () => terminal.note("The connection was lost: trying again", "dim");
  const tails = sources.map((source) => new LogTail<Line>({ client: client(), source, lost }));
  const stop = new AbortController();
  const signal = AbortSignal.any([deps.signal, stop.signal]);
  try {
    if (options.follow) await Promise.all(tails.map((tail) => tail.open(signal)));
    const past = tails.map((tail) => tail.past(range));
    for await (const { index, line } of mergeByTime(past)) print(index, sources[index]!, line);
    if (!options.follow) return;
    await Promise.all(tails.map((tail, index) => {
      const followed = { source: sources[index]!, lines: (over: AbortSignal) => tail.live(over) };
      return followSuccession<Line>(followed, {
        client: client(),
        signal,
        print: (source, line) => print(index, source, line),
        succeeded: ({ label, deploymentId }) =>
          terminal.note(`Deployment "${deploymentId}" is the production of "${label}" now`, "dim"),
        lost,
      });
    }));
  } catch (error) {
    if (!(options.follow && deps.signal.aborted)) throw error;
  } finally {
    stop.abort();
  }
}

async function showBuildLogs(
  { client, json, terminal }: LogsContext,
  sources: readonly NamedSource[],
): Promise<void> {
  for (const { deploymentId } of sources) {
    for await (const line of await client().buildLogs(deploymentId!)) {
      if (json) terminal.print(JSON.stringify(line));
      else terminal.print(printable(line.message).trimEnd(), levelColor(line.level));
    }
  }
}

function checkCombination({ access, build, level, status }: Values): void {
  const refused = [
    [access && build, "--access with --build"],
    [access && level.length > 0, "--access with --level: requests have a --status"],
    [!access && status.length > 0, "--status without --access"],
  ] as const;
  const found = refused.find(([isGiven]) => isGiven);
  if (found) throw new CliError("usage", `Cannot use ${found[1]}`);
}

type Values = OptionValues<typeof OPTIONS>;
