import type { Database } from "../store/mod.ts";
import type { LogCursor, LogPage, LogQuery } from "./log_query.ts";
import { LOG_TABLES, type LogTable } from "./log_tables.ts";

/** Lines looked at in one step: about 2 ms. */
const STEP_LINES = 5000;
/** Lines taken in one step: at most 2 MiB of messages. */
const STEP_MATCHES = 1000;
/** A page of longer text ends early; the next one goes on from there. */
const MAX_PAGE_BYTES = 8 * 2 ** 20;

const encoder = new TextEncoder();

interface Row {
  id: number;
  time: number;
  [column: string]: unknown;
}

/** The positions between which lines are read; neither is part of it. */
interface Range {
  low: LogCursor;
  high: LogCursor;
}

/** Reads one page in short steps, between which others have their turns. */
export class LogScan {
  readonly #database: Database;
  readonly #query: LogQuery;
  readonly #sql: Statements;
  /** Still to be read. */
  #range: Range;
  readonly #lines: Uint8Array[] = [];
  #bytes = 0;
  #last: LogCursor | null = null;
  #next: LogCursor | null = null;

  /** @param database Has a function `contains(text, lowerCaseText)`. */
  constructor(database: Database, query: LogQuery) {
    this.#database = database;
    this.#query = query;
    this.#sql = statements(query);
    this.#range = wholeRange(query);
  }

  /** Takes one step and returns whether the page is complete. */
  step(): boolean {
    const { scope, limit } = this.#query;
    const { boundary: boundarySql, lines: linesSql, parameters } = this.#sql;
    const boundary = this.#database.get<Row>(boundarySql, scope, ...positions(this.#range));
    const range = boundary === undefined ? this.#range : this.#upTo(boundary);
    const wanted = Math.min(limit + 1 - this.#lines.length, STEP_MATCHES);
    const rows = this.#database.all<Row>(linesSql, scope, ...positions(range), wanted, ...parameters);
    for (const row of rows) if (!this.#take(row)) return true;
    const end = rows.length === wanted ? rows.at(-1) : boundary;
    if (end === undefined) return true;
    this.#range = this.#after(end);
    return false;
  }

  /** What was read, once a step has said that it is complete. */
  page(): LogPage {
    const isArray = this.#query.format === "json";
    const text = new Uint8Array(isArray ? Math.max(2, this.#bytes + 1) : this.#bytes);
    let offset = 0;
    if (isArray) text[offset++] = "[".charCodeAt(0);
    for (const line of this.#lines) {
      text.set(line, offset);
      offset += line.length;
    }
    // In the place of the last comma.
    if (isArray) text[text.length - 1] = "]".charCodeAt(0);
    return { text, next: this.#next };
  }

  /** Whether there is room for more; what finds none is left to the next page. */
  #take({ id, time, ...columns }: Row): boolean {
    if (this.#lines.length === this.#query.limit || this.#bytes >= MAX_PAGE_BYTES) {
      this.#next = this.#last;
      return false;
    }
    const end = this.#query.format === "json" ? "," : "\n";
    const line = encoder.encode(JSON.stringify({ time: new Date(time).toISOString(), ...columns }) + end);
    this.#lines.push(line);
    this.#bytes += line.length;
    this.#last = { timeMs: time, id };
    return true;
  }

  /** The range up to a line and with it. */
  #upTo({ time, id }: Row): Range {
    return this.#query.order === "asc"
      ? { ...this.#range, high: { timeMs: time, id: id + 1 } }
      : { ...this.#range, low: { timeMs: time, id: id - 1 } };
  }

  #after({ time, id }: Row): Range {
    const position = { timeMs: time, id };
    return this.#query.order === "asc"
      ? { ...this.#range, low: position }
      : { ...this.#range, high: position };
  }
}

interface Statements {
  /** The last line of a step, if it is not the range's last step: found in the index alone. */
  boundary: string;
  lines: string;
  /** Of `lines`, behind the scope, the range and the limit. */
  parameters: string[];
}

function statements({ table, q, order, filters }: LogQuery): Statements {
  const { name, scope, columns, text, filters: expressions }: LogTable = LOG_TABLES[table];
  const range = `${scope} = ?1 AND (time, id) > (?2, ?3) AND (time, id) < (?4, ?5)`;
  const conditions = [range];
  const parameters: string[] = [];
  // ?6 is the limit.
  const parameter = (value: string) => `?${6 + parameters.push(value)}`;
  if (q !== null) conditions.push(`contains(${text}, ${parameter(q.toLowerCase())})`);
  for (const [filter, values] of Object.entries(filters)) {
    if (values === null) continue;
    const allowed = parameter(JSON.stringify(values));
    conditions.push(`${expressions[filter]} IN (SELECT value FROM json_each(${allowed}))`);
  }
  const direction = order === "asc" ? "ASC" : "DESC";
  const sorted = `ORDER BY time ${direction}, id ${direction}`;
  return {
    boundary: `SELECT time, id FROM ${name} WHERE ${range} ${sorted} LIMIT 1 OFFSET ${STEP_LINES - 1}`,
    lines: `SELECT id, time, ${columns} FROM ${name} WHERE ${conditions.join(" AND ")} ${sorted} LIMIT ?6`,
    parameters,
  };
}

/** What a query is about, without what earlier pages had. */
function wholeRange({ sinceMs, untilMs, order, cursor }: LogQuery): Range {
  const low = { timeMs: sinceMs ?? 0, id: -1 };
  const high = { timeMs: untilMs ?? Number.MAX_SAFE_INTEGER, id: Number.MAX_SAFE_INTEGER };
  if (cursor === null) return { low, high };
  return order === "asc" ? { low: cursor, high } : { low, high: cursor };
}

function positions({ low, high }: Range): number[] {
  return [low.timeMs, low.id, high.timeMs, high.id];
}
