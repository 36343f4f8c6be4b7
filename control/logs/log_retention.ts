import type { Database } from "../store/mod.ts";

/** Rows deleted in one go, between two turns of the event loop. */
const BATCH = 2000;

/** How long, and how much, is kept. */
export interface RetentionOptions {
  /** @default {1_209_600_000} Two weeks, as Deno Deploy did. */
  maxAgeMs?: number;
  /** Of one deployment. @default {100_000} */
  maxRowsPerDeployment?: number;
  /** Of all. @default {2_000_000} */
  maxRows?: number;
}

const DEFAULTS: Required<RetentionOptions> = {
  maxAgeMs: 14 * 24 * 60 * 60 * 1000,
  maxRowsPerDeployment: 100_000,
  maxRows: 2_000_000,
};

/** Keeps the log of what deployments printed within its bounds. */
export class LogRetention {
  readonly #database: Database;
  readonly #options: Required<RetentionOptions>;
  /** Deployments with new rows since the last pruning: only they can have too many. */
  #touched = new Set<string>();
  #stopped = false;

  constructor(database: Database, options: RetentionOptions) {
    this.#database = database;
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Notes that a deployment got a row. */
  touched(deploymentId: string): void {
    this.#touched.add(deploymentId);
  }

  /** Deletes what is too old or too much, in short steps. */
  async prune(): Promise<void> {
    const touched = this.#touched;
    this.#touched = new Set();
    await this.#deleteAll("time < ?", Date.now() - this.#options.maxAgeMs);
    for (const deploymentId of touched) await this.#pruneDeployment(deploymentId);
    await this.#pruneTotal();
  }

  /** Ends a pruning under way at its next step. */
  stop(): void {
    this.#stopped = true;
  }

  async #pruneDeployment(deploymentId: string): Promise<void> {
    if (this.#stopped) return;
    const newestTooMuch = this.#database.get<{ time: number; id: number }>(
      "SELECT time, id FROM app_logs WHERE deployment_id = ? ORDER BY time DESC, id DESC LIMIT 1 OFFSET ?",
      deploymentId,
      this.#options.maxRowsPerDeployment,
    );
    if (newestTooMuch === undefined) return;
    await this.#deleteAll(
      "deployment_id = ? AND (time, id) <= (?, ?)",
      deploymentId,
      newestTooMuch.time,
      newestTooMuch.id,
    );
  }

  /** Ids only grow, so the newest `maxRows` ids are at most `maxRows` rows. */
  async #pruneTotal(): Promise<void> {
    if (this.#stopped) return;
    const { newest } = this.#database.get<{ newest: number }>(
      "SELECT coalesce(max(id), 0) AS newest FROM app_logs",
    )!;
    await this.#deleteAll("id <= ?", newest - this.#options.maxRows);
  }

  async #deleteAll(where: string, ...parameters: (string | number)[]): Promise<void> {
    const sql = `DELETE FROM app_logs WHERE id IN (SELECT id FROM app_logs WHERE ${where} LIMIT ${BATCH})`;
    while (!this.#stopped && this.#database.run(sql, ...parameters) === BATCH) {
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}
