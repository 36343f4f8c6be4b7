import { CliError } from "./cli_error.ts";
import { parseDurationMs } from "./quantity.ts";

/** How options name a point in time. */
export const TIME_FORMS = "must be like 10m, 2h, 1d, or an ISO 8601 time";

/**
 * The time that an option names, in ISO 8601: so long ago, or at that time. `undefined` if it was not given.
 *
 * @throws {CliError} `usage`
 */
export function pointInTime(option: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const agoMs = parseDurationMs(text);
  const time = agoMs === undefined ? new Date(text) : new Date(Date.now() - agoMs);
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw new CliError("usage", `Cannot use ${option} "${text}": ${TIME_FORMS}`);
}

/**
 * Two of them, of which the first is the earlier one.
 *
 * @throws {CliError} `usage`
 */
export function timeRange(
  { since, until }: { since: string | undefined; until: string | undefined },
): { since: string | undefined; until: string | undefined } {
  const range = { since: pointInTime("--since", since), until: pointInTime("--until", until) };
  if (range.since !== undefined && range.until !== undefined && range.since > range.until) {
    throw new CliError("usage", `Cannot use --since "${since}" with --until "${until}": it is later`);
  }
  return range;
}
