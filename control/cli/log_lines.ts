import type { AppLog, BuildLog, LogLevel } from "../model.ts";
import type { ApiClient } from "./client.ts";
import { CliError } from "./cli_error.ts";
import { type Color, printable } from "./terminal.ts";

const LEVEL_COLOR: Record<LogLevel, Color | undefined> = {
  debug: "dim",
  info: undefined,
  warning: "yellow",
  error: "red",
};

/** Which lines {@linkcode readAppLogs} yields. */
export interface AppLogSelection {
  /** Comma-separated levels. */
  level?: string;
  /** Past lines from this ISO 8601 time on; without it the newest. */
  since?: string;
  limit: number;
  /** Go on with new lines until this is aborted. */
  follow?: AbortSignal;
}

/** How a line of that level is shown. */
export function levelColor(level: LogLevel): Color | undefined {
  return LEVEL_COLOR[level];
}

/** Indented under what the command says itself. */
export function buildLogLine({ message }: BuildLog): string {
  return "  " + printable(message).trimEnd().replaceAll("\n", "\n  ");
}

/** "12:30:01.250 error message" in local time, further lines of the message under it. */
export function appLogLine({ time, level, message }: AppLog): string {
  const at = new Date(time);
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) =>
    String(part).padStart(2, "0")
  );
  const stamp = `${clock.join(":")}.${String(at.getMilliseconds()).padStart(3, "0")} ${level.padEnd(7)} `;
  return stamp + printable(message).trimEnd().replaceAll("\n", "\n" + " ".repeat(stamp.length));
}

/** Past lines, oldest first, then, if asked to follow, new ones as they are written. */
export async function* readAppLogs(
  client: ApiClient,
  deploymentId: string,
  { level, since, limit, follow }: AppLogSelection,
): AsyncGenerator<AppLog, void, void> {
  if (!follow) return yield* await client.appLogs(deploymentId, { level, since, limit });
  const stop = new AbortController();
  try {
    // Opened before the past is read, so that no line falls between the two; those in both are dropped.
    const live = await client.followAppLogs(deploymentId, {
      level,
      signal: AbortSignal.any([follow, stop.signal]),
    });
    const past = await client.appLogs(deploymentId, { level, since, limit });
    yield* past;
    const seen = new Set(past.map((line) => JSON.stringify(line)));
    for await (const line of live) {
      if (!seen.delete(JSON.stringify(line))) yield line;
    }
  } catch (error) {
    if (!(follow.aborted && error instanceof CliError && error.code === "interrupted")) throw error;
  } finally {
    stop.abort();
  }
}
