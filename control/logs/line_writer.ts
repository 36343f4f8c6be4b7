import type { Database } from "../store/mod.ts";
import { Turn } from "../scheduling/turn.ts";

/** Lines that wait to be written; more are dropped and counted. */
export const MAX_QUEUE = 20_000;
/** Lines written in one transaction: about 4 ms of the event loop. */
const BATCH = 1000;
/** How long a line waits for others before it is written. */
const FLUSH_DELAY_MS = 100;
/** When the disk takes nothing. */
const RETRY_DELAY_MS = 2000;

/** How lines are kept. */
export interface LineWriterOptions<Line> {
  /** Writes one line, in a transaction with others. */
  insert(scope: string, line: Line): void;
  /** The line that says in a log how many of it were dropped, of which `last` is the last. */
  dropped(count: number, last: Line): Line;
}

/**
 * Writes lines to the database in batches, so that a line costs next to nothing when it comes.
 *
 * **Invariant:** a line is in the queue, in the database, or counted as dropped.
 */
export class LineWriter<Line> {
  readonly #database: Database;
  readonly #options: LineWriterOptions<Line>;
  #queue: { scope: string; line: Line }[] = [];
  readonly #dropped = new Map<string, { count: number; last: Line }>();
  #droppedCount = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isFailing = false;

  constructor(database: Database, options: LineWriterOptions<Line>) {
    this.#database = database;
    this.#options = options;
  }

  /** Lines that were dropped since the start. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** Takes lines in; they are on disk within 100 ms. */
  add(scope: string, lines: readonly Line[]): void {
    for (const line of lines) {
      if (this.#queue.length < MAX_QUEUE) this.#queue.push({ scope, line });
      else this.#drop(scope, line);
    }
    this.#timer ??= setTimeout(() => this.#writeSome(), FLUSH_DELAY_MS);
  }

  /** Writes everything that waits, in short steps. What the disk does not take goes on waiting. */
  async settle(): Promise<void> {
    const turn = new Turn();
    // Not for what comes meanwhile.
    for (let lines = this.#queue.length + this.#dropped.size; lines > 0; lines -= BATCH) {
      if (!this.#tryBatch()) return;
      if (turn.isOver()) await turn.next();
    }
  }

  /** Writes everything that waits, and stops. What the disk does not take is lost, and the server's log says so. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#isWaiting && this.#tryBatch());
    if (this.#queue.length > 0) console.error(`${this.#queue.length} log lines are lost`);
    this.#queue = [];
  }

  get #isWaiting(): boolean {
    return this.#queue.length > 0 || this.#dropped.size > 0;
  }

  #writeSome(): void {
    const delayMs = this.#tryBatch() ? 0 : RETRY_DELAY_MS;
    this.#timer = this.#isWaiting ? setTimeout(() => this.#writeSome(), delayMs) : null;
  }

  #tryBatch(): boolean {
    try {
      this.#writeBatch();
      this.#isFailing = false;
      return true;
    } catch (error) {
      if (!this.#isFailing) console.error("Cannot write log lines, which is tried again:", error);
      this.#isFailing = true;
      return false;
    }
  }

  #writeBatch(): void {
    const batch = this.#queue.slice(0, BATCH);
    // They were dropped after all that waited then.
    const dropped = batch.length === this.#queue.length ? [...this.#dropped] : [];
    this.#database.transaction(() => {
      for (const { scope, line } of batch) this.#options.insert(scope, line);
      for (const [scope, { count, last }] of dropped) {
        this.#options.insert(scope, this.#options.dropped(count, last));
      }
    });
    this.#queue.splice(0, batch.length);
    for (const [scope] of dropped) this.#dropped.delete(scope);
  }

  #drop(scope: string, line: Line): void {
    this.#droppedCount++;
    this.#dropped.set(scope, { count: (this.#dropped.get(scope)?.count ?? 0) + 1, last: line });
  }
}
