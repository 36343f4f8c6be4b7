import { CliError } from "./cli_error.ts";
import { parseDurationMs } from "./quantity.ts";

/**
 * The time that an option names, in ISO 8601: so long ago, or at that time. `undefined` if it was not given.
 *
 * @throws {CliError} `usage`
 */
function pastTime(option: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const time = parseTime(text, "ago");
  if (time !== undefined) return time;
  throw new CliError(
    "usage",
    `Cannot use ${option} "${text}": must be like 10m, 2h, 1d, or an ISO 8601 time`,
  );
}

/** "2h" as so long ago or from now, or an ISO 8601 time, in ISO 8601. `undefined` if it is neither. */
export function parseTime(text: string, direction: "ago" | "from now"): string | undefined {
  const spanMs = parseDurationMs(text);
  const atMs = spanMs === undefined
    ? Date.parse(text)
    : Date.now() + (direction === "ago" ? -spanMs : spanMs);
  const time = new Date(atMs);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/**
 * Two of them, of which the first is the earlier one.
 *
 * @throws {CliError} `usage`
 */
export function timeRange(
  { since, until }: { since: string | undefined; until: string | undefined },
): { since: string | undefined; until: string | undefined } {
  const range = { since: pastTime("--since", since), until: pastTime("--until", until) };
  if (range.since !== undefined && range.until !== undefined && range.since > range.until) {
    throw new CliError("usage", `Cannot use --since "${since}" with --until "${until}": it is later`);
  }
  return range;
}
