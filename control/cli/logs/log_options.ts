import { CliError } from "../cli_error.ts";
import type { Options, OptionValues } from "../command.ts";
import { timeRange } from "../point_in_time.ts";
import type { LogRange } from "./log_tail.ts";

/** How many lines are shown where nothing is said. */
export const DEFAULT_LINES = 100;
/** What one call may return (reference document). */
const MAX_LINES = 10_000;
const LEVELS = ["error", "warning", "info", "debug"];

/** The options of each command that shows a log. */
export const LOG_OPTIONS = {
  follow: { type: "boolean", short: "f", help: "go on with new lines until interrupted" },
  grep: { type: "string", short: "g", value: "TEXT", help: "only lines with that text, in any case" },
  level: {
    type: "string",
    multiple: true,
    value: "LEVEL",
    help: `only lines of that level: ${LEVELS.join(", ")}`,
  },
  since: { type: "string", value: "TIME", help: "all lines since then: 10m, 2h, 1d or an ISO 8601 time" },
  until: { type: "string", value: "TIME", help: "all lines up to then" },
  lines: { type: "string", short: "n", value: "COUNT", help: `the newest so many (${DEFAULT_LINES})` },
} as const satisfies Options;

type Values = OptionValues<typeof LOG_OPTIONS>;

/**
 * Which past lines are wanted.
 *
 * @throws {CliError} `usage`
 */
export function logRange(
  { follow, since, until, lines }: Pick<Values, "follow" | "since" | "until" | "lines">,
): LogRange {
  if (follow && until !== undefined) throw new CliError("usage", "Cannot use --follow with --until");
  if ((since ?? until) === undefined) return { newest: lineCount(lines ?? String(DEFAULT_LINES)) };
  if (lines !== undefined) throw new CliError("usage", "Cannot use --lines with --since or --until");
  const range = timeRange({ since, until });
  return { ...range, since: range.since ?? new Date(0).toISOString() };
}

function lineCount(text: string): number {
  const count = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MAX_LINES) return count;
  throw new CliError("usage", `Cannot use --lines "${text}": must be 1 to ${MAX_LINES}`);
}

/** Several values of an option, for a query; `undefined` = there are none. */
export function joined(values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.join(",");
}

/**
 * The levels that are wanted, for a query; `undefined` = all.
 *
 * @throws {CliError} `usage`
 */
export function checkedLevels(levels: readonly string[]): string | undefined {
  const all = levels.flatMap((level) => level.split(","));
  const unknown = all.find((level) => !LEVELS.includes(level));
  if (unknown === undefined) return joined(all);
  throw new CliError("usage", `Cannot use --level "${unknown}": must be ${LEVELS.join(", ")}`);
}
