import type { Database } from "./database.ts";

/** A token that is used all the time is noted so often. */
const RESOLUTION_MS = 60_000;
/** How long uses are gathered before they are written together. */
const FLUSH_DELAY_MS = 5000;

interface Used {
  id: string;
  lastUsedAt: string | null;
}

/** When tokens were last used, written now and then: authentication waits for no disk. At most one entry a token. */
export class TokenUses {
  readonly #database: Database;
  /** ISO times by token, to be written. */
  readonly #waiting = new Map<string, string>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Notes that a token is used now. */
  note({ id, lastUsedAt }: Used): void {
    const now = Date.now();
    const isRecent = lastUsedAt !== null && Math.abs(now - Date.parse(lastUsedAt)) < RESOLUTION_MS;
    if (isRecent || this.#closed || this.#waiting.has(id)) return;
    this.#waiting.set(id, new Date(now).toISOString());
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_DELAY_MS);
  }

  /** A token with its last use, also if that is not written yet. */
  latest<Token extends Used>(token: Token): Token {
    return { ...token, lastUsedAt: this.#waiting.get(token.id) ?? token.lastUsedAt };
  }

  /** Writes what waits. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#flush();
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    try {
      this.#database.transaction(() => {
        for (const [id, time] of this.#waiting) {
          this.#database.run("UPDATE tokens SET last_used_at = ? WHERE id = ?", time, id);
        }
      });
    } catch (error) {
      console.error("Cannot note the last use of tokens:", error);
    }
    this.#waiting.clear();
  }
}
