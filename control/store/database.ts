import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { StoreError } from "./errors.ts";
import { storageProblem } from "./storage_problem.ts";

/** Prepared statements kept; the least recently prepared one makes room. */
const MAX_STATEMENTS = 256;
/** How long a statement waits for a lock of another process (a backup) before it fails. */
const BUSY_TIMEOUT_MS = 5000;

/** How to open a database. */
export interface DatabaseOptions {
  /** Forward-only steps: the one at index `n` leads from version `n` to `n + 1`. Never edited once released. */
  migrations: readonly string[];
  /** `full`: an acknowledged commit survives a power cut. `normal`: it survives the end of this process. */
  durability: "full" | "normal";
}

/**
 * One SQLite file in WAL mode: cached statements, transactions, migrations. Every call is synchronous, so statements
 * have to be short.
 */
export class Database implements Disposable {
  readonly #sqlite: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite;
  }

  /** The first row, or `undefined`. */
  get<Row>(sql: string, ...parameters: SQLInputValue[]): Row | undefined {
    const row = this.#prepare(sql).get(...parameters);
    return row === undefined ? undefined : { ...row } as Row;
  }

  /** All rows. */
  all<Row>(sql: string, ...parameters: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...parameters).map((row) => ({ ...row }) as Row);
  }

  /** Runs a statement and returns how many rows it changed. */
  run(sql: string, ...parameters: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...parameters).changes);
  }

  /** Runs several statements without parameters. */
  execute(sql: string): void {
    this.#sqlite.exec(sql);
  }

  /** Runs `work` in one transaction, committed when it returns and undone when it throws. Inside another, joins it. */
  transaction<Result>(work: () => Result): Result {
    if (this.#sqlite.isTransaction) return work();
    this.#sqlite.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#sqlite.exec("COMMIT");
      return result;
    } catch (error) {
      // SQLite undoes a transaction on its own after some errors, such as a full disk.
      if (this.#sqlite.isTransaction) this.#sqlite.exec("ROLLBACK");
      throw error;
    }
  }

  /** Closes the file. Idempotent. */
  close(): void {
    this.#statements.clear();
    if (this.#sqlite.isOpen) this.#sqlite.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      const [oldest] = this.#statements.keys();
      if (this.#statements.size >= MAX_STATEMENTS && oldest !== undefined) this.#statements.delete(oldest);
      statement = this.#sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/**
 * Opens (creating it, readable by its owner alone) and migrates the database at `path`.
 *
 * @throws {StoreError} `tooNew`: it was written by a newer version; `damaged`.
 */
export function openDatabase(path: string, options: DatabaseOptions): Database {
  // SQLite gives the -wal and -shm files the mode of the main file.
  Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 }).close();
  const database = new Database(new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS }));
  try {
    database.execute(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${options.durability};
      PRAGMA foreign_keys = ON;
    `);
    migrate(database, path, options.migrations);
    return database;
  } catch (cause) {
    database.close();
    if (storageProblem(cause) !== "damaged") throw cause;
    throw new StoreError("damaged", `Cannot open "${path}": ${(cause as Error).message}. Restore a backup`, {
      cause,
    });
  }
}

function migrate(database: Database, path: string, migrations: readonly string[]): void {
  database.execute(
    "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL) STRICT",
  );
  const { version } = database.get<{ version: number }>(
    "SELECT coalesce(max(version), 0) AS version FROM migrations",
  )!;
  if (version > migrations.length) {
    throw new StoreError(
      "tooNew",
      `Cannot open "${path}": its schema is version ${version}, this program knows ${migrations.length}`,
    );
  }
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue;
    database.transaction(() => {
      database.execute(sql);
      database.run(
        "INSERT INTO migrations (version, applied_at) VALUES (?, ?)",
        index + 1,
        new Date().toISOString(),
      );
    });
  }
}
