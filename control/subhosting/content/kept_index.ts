import type { Database } from "../../store/mod.ts";

/** What is kept at most. */
export interface KeptBounds {
  /** On disk. */
  maxBytes: number;
  maxEntries: number;
}

/** Which entry, and of which subhoster. */
export interface KeptName {
  name: string;
  owner: string;
}

/** Of the database of {@linkcode KeptIndex}. */
export const KEPT_MIGRATIONS = [
  `
  CREATE TABLE kept (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    used_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX kept_used_at ON kept (owner, used_at);
  CREATE TABLE totals (
    owner TEXT PRIMARY KEY,
    entries INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER kept_added AFTER INSERT ON kept BEGIN
    INSERT INTO totals VALUES (new.owner, 1, new.bytes)
      ON CONFLICT (owner) DO UPDATE SET entries = entries + 1, bytes = bytes + excluded.bytes;
  END;
  CREATE TRIGGER kept_changed AFTER UPDATE OF bytes ON kept BEGIN
    UPDATE totals SET bytes = bytes + new.bytes - old.bytes WHERE owner = new.owner;
  END;
  CREATE TRIGGER kept_removed AFTER DELETE ON kept BEGIN
    UPDATE totals SET entries = entries - 1, bytes = bytes - old.bytes WHERE owner = old.owner;
    DELETE FROM totals WHERE owner = old.owner AND entries = 0;
  END;
  `,
];

const RECORD_INTERVAL_MS = 10_000;
/** Recorded at once when there are so many. */
const MAX_UNRECORDED_USES = 500;

/**
 * How large each entry on disk is and when it was used. Another server may write to it at the same time.
 *
 * **Invariant:** what is on disk has its row: a row is there before, and until after.
 */
export class KeptIndex implements Disposable {
  readonly #database: Database;
  readonly #bounds: KeptBounds;
  /** Unix time in ms by name. */
  readonly #unrecorded = new Map<string, number>();
  readonly #timer = setInterval(() => this.#record(), RECORD_INTERVAL_MS);
  #lastUse = 0;

  constructor(database: Database, bounds: KeptBounds) {
    this.#database = database;
    this.#bounds = bounds;
  }

  /** It is used; recorded some seconds later, with others. */
  use(name: string): void {
    this.#unrecorded.set(name, this.#now());
    if (this.#unrecorded.size >= MAX_UNRECORDED_USES) this.#record();
  }

  /** It is there, and so large, if nothing is known of it: a power cut takes rows, too. */
  found({ name, owner }: KeptName, bytes: number): void {
    this.#database.run("INSERT OR IGNORE INTO kept VALUES (?, ?, ?, ?)", name, owner, bytes, this.#now());
  }

  /** There is more of it. */
  grow({ name, owner }: KeptName, bytes: number): void {
    this.#database.run(
      `INSERT INTO kept VALUES (?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET bytes = bytes + excluded.bytes, used_at = excluded.used_at`,
      name,
      owner,
      bytes,
      this.#now(),
    );
  }

  /** There is nothing of it any more. */
  remove(name: string): void {
    this.#unrecorded.delete(name);
    this.#database.run("DELETE FROM kept WHERE name = ?", name);
  }

  /**
   * If there is more than there may be: what was not used for longest of whoever has most, at most `limit` of it. So nobody
   * can have what is another's removed.
   */
  surplus(limit: number): string[] {
    const excess = this.#excess();
    if (excess === null) return [];
    this.#record();
    const rows = this.#database.all<{ name: string; entries: number; bytes: number }>(
      `SELECT name, 1 AS entries, bytes FROM kept
       WHERE owner = (SELECT owner FROM totals ORDER BY ${excess.of} DESC LIMIT 1) ORDER BY used_at LIMIT ?`,
      limit,
    );
    let removed = 0;
    const kept = rows.findIndex((row) => {
      if (removed >= excess.amount) return true;
      removed += row[excess.of];
      return false;
    });
    return rows.slice(0, kept === -1 ? rows.length : kept).map(({ name }) => name);
  }

  /** What there is of one owner. */
  totals(owner: string): { entries: number; bytes: number } {
    return this.#database.get("SELECT entries, bytes FROM totals WHERE owner = ?", owner) ??
      { entries: 0, bytes: 0 };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#record();
  }

  #excess(): { of: "entries" | "bytes"; amount: number } | null {
    const { maxEntries, maxBytes } = this.#bounds;
    const { entries, bytes } = this.#database.get<{ entries: number; bytes: number }>(
      "SELECT coalesce(sum(entries), 0) AS entries, coalesce(sum(bytes), 0) AS bytes FROM totals",
    )!;
    if (bytes > maxBytes) return { of: "bytes", amount: bytes - maxBytes };
    return entries > maxEntries ? { of: "entries", amount: entries - maxEntries } : null;
  }

  /** What the disk does not take is forgotten: a use that is not recorded costs an entry its place in line, no more. */
  #record(): void {
    if (this.#unrecorded.size === 0) return;
    try {
      this.#database.transaction(() => {
        for (const [name, usedAt] of this.#unrecorded) {
          this.#database.run("UPDATE kept SET used_at = max(used_at, ?) WHERE name = ?", usedAt, name);
        }
      });
    } catch (error) {
      console.error("Cannot record which subhosted deployments were used:", error);
    }
    this.#unrecorded.clear();
  }

  /** Each time is its own. */
  #now(): number {
    this.#lastUse = Math.max(Date.now(), this.#lastUse + 1);
    return this.#lastUse;
  }
}
