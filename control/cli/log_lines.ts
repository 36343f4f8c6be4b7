import type { AccessLog, AppLog, BuildLog, LogLevel } from "../model.ts";
import { type Color, printable } from "./terminal.ts";

const LEVEL_COLOR: Record<LogLevel, Color | undefined> = {
  debug: "dim",
  info: undefined,
  warning: "yellow",
  error: "red",
};

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
  const stamp = `${clockTime(time)} ${level.padEnd(7)} `;
  return stamp + printable(message).trimEnd().replaceAll("\n", "\n" + " ".repeat(stamp.length));
}

/** How a request with that status is shown. */
export function statusColor(status: number | null): Color | undefined {
  if (status === null || status >= 500) return "red";
  return status >= 400 ? "yellow" : undefined;
}

/** "12:30:01.250 200    12 ms GET hello.localhost/path" in local time. */
export function accessLogLine(line: AccessLog): string {
  const { status, durationMs, method, host, path, start, outcome, errorCode, missing } = line;
  const notes = [
    ...(start === "cold" ? ["cold start"] : []),
    ...(outcome === "aborted" ? ["aborted"] : []),
    ...(errorCode === null ? [] : [errorCode]),
    ...(missing === null ? [] : [`${missing} requests are missing here`]),
  ];
  const took = `${Math.round(durationMs)} ms`.padStart(8);
  const request = printable(`${method} ${host}${path}`);
  return `${clockTime(line.time)} ${status ?? "---"} ${took} ${request}${
    notes.length ? ` (${notes.join(", ")})` : ""
  }`;
}

function clockTime(time: string): string {
  const at = new Date(time);
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) =>
    String(part).padStart(2, "0")
  );
  return `${clock.join(":")}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}
