import type { LogTableName } from "./log_tables.ts";

/** Which past lines of a table are wanted. Plain data: it goes to the reader's thread. */
export interface LogQuery {
  table: LogTableName;
  /** Whose lines: of the column that the table's lines belong together by. */
  scope: string;
  /** Text that the line contains, in any case; `null` = all. */
  q: string | null;
  /** Allowed values by the table's names of filters; `null`, or without one, all are. */
  filters: Readonly<Record<string, readonly string[] | null>>;
  /** Unix ms, inclusive. @default {0} */
  sinceMs: number | null;
  /** Unix ms, inclusive. @default {now and later} */
  untilMs: number | null;
  limit: number;
  order: "asc" | "desc";
  /** Where the page before ended, as it was returned; `null` = the first page. */
  cursor: LogCursor | null;
  /** How the page is written: one JSON object a line, or as one array. */
  format: "ndjson" | "json";
}

/** The position of a line: its time and, among those of the same time, its order of arrival. */
export interface LogCursor {
  timeMs: number;
  id: number;
}

/** One page of past lines. */
export interface LogPage {
  /** As the query's `format` has it, in UTF-8. */
  text: Uint8Array<ArrayBuffer>;
  /** Where the next page begins; `null` if this is the last. */
  next: LogCursor | null;
}

/** What the control thread asks of the reader's thread. */
export type ToReader =
  | { type: "open"; path: string }
  | { type: "read"; id: number; query: LogQuery }
  | { type: "cancel"; id: number };

/** What the reader's thread answers; a cancelled read is not answered. */
export type FromReader =
  | { type: "page"; id: number; page: LogPage }
  | { type: "failed"; id: number; message: string };
