import type { AppLog, LogLevel } from "../model.ts";

/** Which lines of those that programs printed are wanted. `null` = all. */
export interface PrintedFilter {
  /** Text that the message contains, in any case. */
  q: string | null;
  levels: readonly LogLevel[] | null;
}

/** The lines that stand for missing ones; `last` is the last of those. */
export const MISSING_LINES = {
  dropped: <Line extends AppLog>(count: number, last: Line): Line =>
    note(last, `${count} log lines were dropped: too many were waiting to be written`),
  skipped: <Line extends AppLog>(count: number, last: Line): Line =>
    note(last, `${count} log lines were skipped: this reader is too slow`),
};

/** Whether the line is one that is wanted. */
export function isWanted({ q, levels }: PrintedFilter, { level, message }: AppLog): boolean {
  return (levels === null || levels.includes(level)) &&
    (q === null || message.toLowerCase().includes(q.toLowerCase()));
}

function note<Line extends AppLog>(last: Line, message: string): Line {
  return { ...last, level: "warning", message };
}
