import type { BuildLog } from "../model.ts";
import type { Database } from "../store/mod.ts";

/** Lines kept of one build; then one that says so, and no more. */
export const MAX_BUILD_LINES = 10_000;
/** Lines read in one go. */
const PAGE = 500;

/** What builds printed. Kept beside their deployments, deleted with them, and readable while the build runs. */
export class BuildLogs {
  readonly #database: Database;
  /** Readers that wait for a line, by deployment. */
  readonly #waiting = new Map<string, Set<() => void>>();
  /** Aborted for those who read now. */
  #ending = new AbortController();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Adds a line to the log of a build. A deployment that was deleted meanwhile takes none. */
  append(deploymentId: string, log: BuildLog): void {
    this.#database.transaction(() => {
      const last = this.#database.get<{ seq: number; line: number }>(
        `SELECT seq, coalesce((SELECT max(line) FROM build_logs WHERE deployment_seq = seq), 0) AS line
         FROM deployments WHERE id = ?`,
        deploymentId,
      );
      if (last === undefined || last.line > MAX_BUILD_LINES) return;
      const { level, message } = last.line < MAX_BUILD_LINES ? log : {
        level: "warning",
        message: `Further lines are dropped: a build log has ${MAX_BUILD_LINES} at most`,
      };
      this.#database.run(
        "INSERT INTO build_logs (deployment_seq, line, level, message) VALUES (?, ?, ?, ?)",
        last.seq,
        last.line + 1,
        level,
        message,
      );
    });
    this.#wake(deploymentId);
  }

  /** All lines so far. */
  list(deploymentId: string): BuildLog[] {
    return this.#after(deploymentId, 0, MAX_BUILD_LINES + 1).map(({ level, message }) => ({
      level,
      message,
    }));
  }

  /** All lines so far and those to come, until the build has ended, the deployment is deleted, or `signal` aborts. */
  async *follow(deploymentId: string, signal: AbortSignal): AsyncGenerator<BuildLog, void> {
    const over = AbortSignal.any([signal, this.#ending.signal]);
    let line = 0;
    while (!over.aborted) {
      // Asked before the lines: the last of them is written before the build ends.
      const pending = this.#isPending(deploymentId);
      const rows = this.#after(deploymentId, line, PAGE);
      for (const row of rows) {
        line = row.line;
        yield { level: row.level, message: row.message };
      }
      if (rows.length > 0) continue;
      if (!pending) return;
      await this.#nextChange(deploymentId, over);
    }
  }

  /** Tells the readers that the build has ended, or the deployment is deleted: the store has it already. */
  end(deploymentId: string): void {
    this.#wake(deploymentId);
  }

  /** Ends all who read now. */
  endAll(): void {
    this.#ending.abort();
    this.#ending = new AbortController();
  }

  /** Ends all readers, now and later. Idempotent. */
  close(): void {
    this.#ending.abort();
  }

  #after(deploymentId: string, line: number, limit: number): (BuildLog & { line: number })[] {
    return this.#database.all(
      `SELECT line, level, message FROM build_logs JOIN deployments ON seq = deployment_seq
       WHERE id = ? AND line > ? ORDER BY line LIMIT ?`,
      deploymentId,
      line,
      limit,
    );
  }

  #isPending(deploymentId: string): boolean {
    return this.#database.get(
      "SELECT 1 FROM deployments WHERE id = ? AND status = 'pending'",
      deploymentId,
    ) !== undefined;
  }

  /** Called in the turn in which nothing new was found, so no change is missed. */
  #nextChange(deploymentId: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve: settle } = Promise.withResolvers<void>();
    const resolve = () => settle();
    const waiting = this.#waiting.get(deploymentId) ?? new Set();
    this.#waiting.set(deploymentId, waiting.add(resolve));
    signal.addEventListener("abort", resolve);
    return promise.finally(() => {
      signal.removeEventListener("abort", resolve);
      waiting.delete(resolve);
      if (waiting.size === 0 && this.#waiting.get(deploymentId) === waiting) {
        this.#waiting.delete(deploymentId);
      }
    });
  }

  #wake(deploymentId: string): void {
    for (const resolve of this.#waiting.get(deploymentId) ?? []) resolve();
  }
}
