import type { Database } from "../store/mod.ts";
import type { FollowerOptions } from "./follower.ts";
import { Followers } from "./followers.ts";
import { LineWriter } from "./line_writer.ts";
import type { LogPage, LogQuery } from "./log_query.ts";
import type { LogReader } from "./log_reader.ts";
import type { LogTableName } from "./log_tables.ts";
import type { OtlpLogs, OtlpRecord } from "./otlp_logs.ts";

/** Where lines go, and who is told. */
export interface LineLogOptions {
  database: Database;
  reader: LogReader;
  /** Told of each line that goes to the database. */
  written(table: LogTableName, scope: string): void;
  /** Gets every line, too; `null` = nobody does. */
  exporter: Pick<OtlpLogs, "add"> | null;
}

/** One kind of lines. */
export interface LineKind<Line> {
  table: LogTableName;
  /** Writes one line, in a transaction with others. */
  insert(database: Database, scope: string, line: Line): void;
  /** The line that says how many were dropped, since too many waited to be written; `last` is the last of them. */
  dropped(count: number, last: Line): Line;
  /** What a live reader who is too slow gets in the place of lines, of which `last` is the last. */
  skipped: FollowerOptions<Line>["skipped"];
  /** As a collector gets it. */
  record(scope: string, line: Line): OtlpRecord;
}

/** Lines of one kind, by whose they are: batched into SQLite, searched, followed live. */
export class LineLog<Line> {
  readonly #reader: LogReader;
  readonly #exporter: LineLogOptions["exporter"];
  readonly #kind: LineKind<Line>;
  readonly #writer: LineWriter<Line>;
  readonly #followers = new Followers<Line>();
  #closed = false;

  constructor({ database, reader, written, exporter }: LineLogOptions, kind: LineKind<Line>) {
    this.#reader = reader;
    this.#exporter = exporter;
    this.#kind = kind;
    this.#writer = new LineWriter(database, {
      insert(scope, line) {
        written(kind.table, scope);
        kind.insert(database, scope, line);
      },
      dropped: kind.dropped,
    });
  }

  /** Nothing is taken in any more. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Lines that found no room since the start. Each log says itself how many of its own. */
  get droppedCount(): number {
    return this.#writer.droppedCount;
  }

  /** Takes lines in, unless it is closed. Live readers get them at once; they are on disk within 100 ms. */
  append(scope: string, lines: readonly Line[]): void {
    if (this.#closed) return;
    this.#followers.push(scope, lines);
    this.#writer.add(scope, lines);
    this.#exporter?.add(lines.map((line) => this.#kind.record(scope, line)));
  }

  /** Writes everything that waits. What the disk does not take goes on waiting. */
  async settle(): Promise<void> {
    await this.#writer.settle();
  }

  /**
   * A page of past lines, those not yet on disk included.
   *
   * @throws as {@linkcode LogReader.read} does
   */
  async query(query: Omit<LogQuery, "table">, signal: AbortSignal): Promise<LogPage> {
    await this.settle();
    return await this.#reader.read({ ...query, table: this.#kind.table }, signal);
  }

  /**
   * Follows new lines from now on, until `signal` aborts, the iterator is returned, or the readers are ended.
   *
   * @returns `null` when there are too many readers, or it is closed.
   */
  follow(
    scope: string,
    accepts: (line: Line) => boolean,
    signal: AbortSignal,
  ): AsyncIterableIterator<Line> | null {
    return this.#followers.follow(scope, { accepts, skipped: this.#kind.skipped }, signal);
  }

  /** Ends the live readers of what was deleted. Its lines go with age. */
  end(scope: string): void {
    this.#followers.end(scope);
  }

  /** Ends all live readers. */
  endAll(): void {
    this.#followers.endAll();
  }

  /** Ends all readers and writes everything that waits. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#followers.close();
    this.#writer.close();
  }
}
