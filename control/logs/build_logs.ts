import type { BuildLog } from "../model.ts";
import type { Database } from "../store/mod.ts";

/** Lines kept of one build; then one that says so, and no more. */
export const MAX_BUILD_LINES = 10_000;
/** Text kept of one build, likewise. */
export const MAX_BUILD_CHARS = 2 * 2 ** 20;
/** Longer lines are cut. */
const MAX_LINE_CHARS = 16_384;
/** Lines read in one go. */
const PAGE = 500;
/** How long a line waits for others: each transaction waits for the disk. */
const FLUSH_DELAY_MS = 50;

/** A build that is under way. */
interface Build {
  /** Of its lines since the start of the server. */
  chars: number;
  unwritten: BuildLog[];
}

/** What builds printed. Kept beside their deployments, deleted with them, and readable while the build runs. */
export class BuildLogs {
  readonly #database: Database;
  readonly #builds = new Map<string, Build>();
  #flushTimer: ReturnType<typeof setTimeout> | null = null;
  /** Readers that wait for a line, by deployment. */
  readonly #waiting = new Map<string, Set<() => void>>();
  /** Aborted for those who read now. */
  #ending = new AbortController();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Adds a line to the log of a build. A deployment that was deleted meanwhile takes none. */
  append(deploymentId: string, { level, message }: BuildLog): void {
    const build = this.#builds.get(deploymentId) ?? { chars: 0, unwritten: [] };
    this.#builds.set(deploymentId, build);
    if (build.chars > MAX_BUILD_CHARS || build.unwritten.length > MAX_BUILD_LINES) return;
    const isLong = message.length > MAX_LINE_CHARS;
    const text = isLong ? `${message.slice(0, MAX_LINE_CHARS)} … [trimmed]` : message;
    build.chars += text.length;
    const isTooMuch = build.chars > MAX_BUILD_CHARS;
    build.unwritten.push(isTooMuch ? droppedNote(`${MAX_BUILD_CHARS} characters`) : { level, message: text });
    this.#flushTimer ??= setTimeout(() => this.#flush(), FLUSH_DELAY_MS);
    this.#wake(deploymentId);
  }

  /** All lines so far. */
  *list(deploymentId: string): Generator<BuildLog, void> {
    let line = 0;
    for (let rows = this.#after(deploymentId, 0); rows.length > 0; rows = this.#after(deploymentId, line)) {
      for (const { level, message } of rows) yield { level, message };
      line = rows.at(-1)!.line;
    }
  }

  /** All lines so far and those to come, until the build has ended, the deployment is deleted, or `signal` aborts. */
  async *follow(deploymentId: string, signal: AbortSignal): AsyncGenerator<BuildLog, void> {
    const over = AbortSignal.any([signal, this.#ending.signal]);
    let line = 0;
    while (!over.aborted) {
      // Asked before the lines: the last of them is here before the build ends.
      const pending = this.#isPending(deploymentId);
      const rows = this.#after(deploymentId, line);
      for (const row of rows) {
        line = row.line;
        yield { level: row.level, message: row.message };
      }
      if (rows.length > 0) continue;
      if (!pending) return;
      await this.#nextChange(deploymentId, over);
    }
  }

  /** The build has ended, or the deployment is deleted, and the store has it already: its readers are told. */
  end(deploymentId: string): void {
    this.#flush();
    this.#builds.delete(deploymentId);
    this.#wake(deploymentId);
  }

  /** Ends all who read now. */
  endAll(): void {
    this.#ending.abort();
    this.#ending = new AbortController();
  }

  /** Ends all readers, now and later, and writes what waits. Idempotent. */
  close(): void {
    this.#ending.abort();
    this.#flush();
  }

  #after(deploymentId: string, line: number): (BuildLog & { line: number })[] {
    if (this.#builds.has(deploymentId)) this.#flush();
    return this.#database.all(
      `SELECT line, level, message FROM build_logs JOIN deployments ON seq = deployment_seq
       WHERE id = ? AND line > ? ORDER BY line LIMIT ${PAGE}`,
      deploymentId,
      line,
    );
  }

  /** Writes what waits; what the disk does not take goes on waiting. */
  #flush(): void {
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer);
    this.#flushTimer = null;
    const waiting = [...this.#builds].filter(([, { unwritten }]) => unwritten.length > 0);
    if (waiting.length === 0) return;
    try {
      this.#database.transaction(() => {
        for (const [deploymentId, { unwritten }] of waiting) this.#write(deploymentId, unwritten);
      });
      for (const [, build] of waiting) build.unwritten = [];
    } catch (error) {
      console.error("Cannot write a build log, which is tried again:", error);
    }
  }

  #write(deploymentId: string, lines: readonly BuildLog[]): void {
    const last = this.#database.get<{ seq: number; line: number }>(
      `SELECT seq, coalesce((SELECT max(line) FROM build_logs WHERE deployment_seq = seq), 0) AS line
       FROM deployments WHERE id = ?`,
      deploymentId,
    );
    if (last === undefined) return;
    let { line } = last;
    for (const log of lines) {
      if (++line > MAX_BUILD_LINES + 1) return;
      const { level, message } = line > MAX_BUILD_LINES ? droppedNote(String(MAX_BUILD_LINES)) : log;
      this.#database.run(
        "INSERT INTO build_logs (deployment_seq, line, level, message) VALUES (?, ?, ?, ?)",
        last.seq,
        line,
        level,
        message,
      );
    }
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

function droppedNote(bound: string): BuildLog {
  return { level: "warning", message: `Further lines are dropped: a build log has ${bound} at most` };
}
