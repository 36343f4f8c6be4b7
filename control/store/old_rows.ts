import { nextTurn } from "../scheduling/turn.ts";
import type { Database } from "./database.ts";

/** Rows deleted in one transaction: about 3 ms of the event loop. */
const BATCH = 500;
/** Rows counted in one step, in the index alone: about 2 ms. */
const COUNTED = 20_000;

/** Rows of a table that has `id INTEGER PRIMARY KEY`, the order of arrival, and `time` in Unix ms. Trusted SQL. */
export interface TimedRows {
  table: string;
  /** Which of the table's rows, by a column that has an index with `time` after it. @default {all} */
  where?: string;
  parameters?: readonly string[];
}

/** Deletes rows by their age, in short steps between which the event loop gets its turn. */
export class OldRows {
  readonly #database: Database;
  #stopped = false;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Whether nothing is to be deleted any more. */
  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Ends what is under way at its next step. */
  stop(): void {
    this.#stopped = true;
  }

  /** Keeps the newest so many of the rows. */
  async deleteBeyond(rows: TimedRows, kept: number): Promise<void> {
    const { table, where = "TRUE", parameters = [] } = rows;
    let oldest = { timeMs: Number.MAX_SAFE_INTEGER, id: 0 };
    for (let left = kept; left > 0; left -= COUNTED) {
      if (this.#stopped) return;
      const older = this.#database.get<typeof oldest>(
        `SELECT time AS timeMs, id FROM ${table} WHERE ${where} AND (time, id) < (?, ?)
         ORDER BY time DESC, id DESC LIMIT 1 OFFSET ?`,
        ...parameters,
        oldest.timeMs,
        oldest.id,
        Math.min(left, COUNTED) - 1,
      );
      if (older === undefined) return;
      oldest = older;
      await nextTurn();
    }
    await this.deleteBefore(rows, oldest.timeMs, oldest.id);
  }

  /** Deletes those of the rows that are older, or as old and came before `id`. */
  async deleteBefore(
    { table, where = "TRUE", parameters = [] }: TimedRows,
    timeMs: number,
    id = 0,
  ): Promise<void> {
    const sql = `DELETE FROM ${table} WHERE id IN (
      SELECT id FROM ${table} WHERE ${where} AND (time, id) < (?, ?) LIMIT ${BATCH}
    )`;
    while (!this.#stopped && this.#database.run(sql, ...parameters, timeMs, id) === BATCH) await nextTurn();
  }

  /** Deletes a few of a table's oldest rows. Returns how many. */
  deleteOldest(table: string): number {
    return this.#database.run(
      `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} ORDER BY time LIMIT ${BATCH})`,
    );
  }
}
