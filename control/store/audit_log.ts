import type { Database } from "./database.ts";

/** How much is kept. */
export interface AuditOptions {
  /** @default {31_622_400_000} A year. */
  maxAgeMs?: number;
  /** @default {500_000} */
  maxEntries?: number;
  /** Of one organization, so that none can drive out what others did. @default {100_000} */
  maxEntriesOfOne?: number;
}

/** A change to record. */
export interface AuditEntry {
  /** Whose it is; `null` = the machine's. */
  organizationId: string | null;
  /** `null` = it was made without a token. */
  tokenId: string | null;
  /** The token's name, or what made the change: `webhook`. */
  actor: string;
  /** A verb and a noun: `create deployment`. */
  action: string;
  /** The id, or the name, of what was made, changed or deleted. */
  target: string | null;
  /** Where it came from; `null` = from this machine. */
  address: string | null;
}

/** A change that was recorded. */
export interface AuditRecord extends AuditEntry {
  /** ISO 8601. */
  time: string;
}

/** Which changes are wanted. */
export interface AuditQuery {
  /** Only this organization's; `null` = all, and the machine's. */
  organizationId: string | null;
  tokenId: string | null;
  /** Unix ms, inclusive. */
  sinceMs: number | null;
  /** Unix ms, inclusive. */
  untilMs: number | null;
  limit: number;
  order: "asc" | "desc";
  /** Where the page before ended, as it was returned; `null` = the first page. */
  cursor: AuditCursor | null;
}

/** The position of a change: its time and, among those of the same time, its order of arrival. */
export interface AuditCursor {
  timeMs: number;
  id: number;
}

/** One page of changes. */
export interface AuditPage {
  records: AuditRecord[];
  /** Where the next page begins; `null` if this is the last. */
  next: AuditCursor | null;
}

interface Row extends AuditEntry {
  id: number;
  time: number;
}

const DEFAULTS: Required<AuditOptions> = {
  maxAgeMs: 366 * 24 * 60 * 60 * 1000,
  maxEntries: 500_000,
  maxEntriesOfOne: 100_000,
};
/** Rows deleted, or passed over, in one go, between two turns of the event loop. */
const BATCH = 1000;
/** Of each text of an entry; what is longer is cut. */
const MAX_TEXT_LENGTH = 500;

/** Who changed what, and when. Contents, variables and tokens are not in it. */
export class AuditLog {
  readonly #database: Database;
  readonly #options: Required<AuditOptions>;
  #closed = false;

  constructor(database: Database, options: AuditOptions = {}) {
    this.#database = database;
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Records a change that was just made. It is on disk when this returns. */
  record({ organizationId, tokenId, actor, action, target, address }: AuditEntry): void {
    this.#database.run(
      `INSERT INTO audit_log (time, organization_id, token_id, actor, action, target, address)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      Date.now(),
      organizationId,
      tokenId,
      actor.slice(0, MAX_TEXT_LENGTH),
      action.slice(0, MAX_TEXT_LENGTH),
      target?.slice(0, MAX_TEXT_LENGTH) ?? null,
      address,
    );
  }

  /** One page of what was changed. */
  query(query: AuditQuery): AuditPage {
    const [low, high] = bounds(query);
    const { organizationId, tokenId, limit } = query;
    const direction = query.order === "asc" ? "ASC" : "DESC";
    const filters = [
      "(time, id) > (?, ?) AND (time, id) < (?, ?)",
      ...(organizationId === null ? [] : ["organization_id = ?"]),
      ...(tokenId === null ? [] : ["token_id = ?"]),
    ];
    // Left to itself, SQLite reads all that the token did, also for other organizations.
    const index = organizationId === null || tokenId === null
      ? ""
      : "INDEXED BY audit_log_organization_token";
    const rows = this.#database.all<Row>(
      `SELECT id, time, organization_id AS organizationId, token_id AS tokenId, actor, action, target, address
       FROM audit_log ${index} WHERE ${
        filters.join(" AND ")
      } ORDER BY time ${direction}, id ${direction} LIMIT ?`,
      ...[low.timeMs, low.id, high.timeMs, high.id],
      ...[organizationId, tokenId].filter((id) => id !== null),
      limit + 1,
    );
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const isMore = rows.length > page.length && last !== undefined;
    return { records: page.map(toRecord), next: isMore ? { timeMs: last.time, id: last.id } : null };
  }

  /** Deletes what is too old or too much, in short steps. */
  async prune(): Promise<void> {
    const { maxAgeMs, maxEntries, maxEntriesOfOne } = this.#options;
    await this.#deleteBefore("TRUE", [], { timeMs: Date.now() - maxAgeMs, id: 0 });
    for (let id = this.#organizationAfter(""); id !== null; id = this.#organizationAfter(id)) {
      await this.#deleteBeyond(maxEntriesOfOne, "organization_id = ?", [id]);
    }
    await this.#deleteBeyond(maxEntries, "TRUE", []);
  }

  /** Ends a pruning under way at its next step. */
  close(): void {
    this.#closed = true;
  }

  #organizationAfter(id: string): string | null {
    return this.#closed ? null : this.#database.get<{ id: string | null }>(
      "SELECT min(organization_id) AS id FROM audit_log WHERE organization_id > ?",
      id,
    )!.id;
  }

  /** Keeps the newest of what `filter` says. */
  async #deleteBeyond(kept: number, filter: string, parameters: string[]): Promise<void> {
    let oldest: AuditCursor = { timeMs: Number.MAX_SAFE_INTEGER, id: 0 };
    for (let left = kept; left > 0; left -= BATCH) {
      if (this.#closed) return;
      const found = this.#database.get<AuditCursor>(
        `SELECT time AS timeMs, id FROM audit_log WHERE ${filter} AND (time, id) < (?, ?)
         ORDER BY time DESC, id DESC LIMIT 1 OFFSET ?`,
        ...parameters,
        oldest.timeMs,
        oldest.id,
        Math.min(left, BATCH) - 1,
      );
      if (found === undefined) return;
      oldest = found;
      await nextTurn();
    }
    await this.#deleteBefore(filter, parameters, oldest);
  }

  async #deleteBefore(filter: string, parameters: string[], { timeMs, id }: AuditCursor): Promise<void> {
    const sql = `DELETE FROM audit_log WHERE id IN (
      SELECT id FROM audit_log WHERE ${filter} AND (time, id) < (?, ?) LIMIT ${BATCH}
    )`;
    while (!this.#closed && this.#database.run(sql, ...parameters, timeMs, id) === BATCH) await nextTurn();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** The open interval of positions that a query is about. */
function bounds({ sinceMs, untilMs, cursor, order }: AuditQuery): [low: AuditCursor, high: AuditCursor] {
  const low = { timeMs: sinceMs ?? 0, id: -1 };
  const high = { timeMs: untilMs ?? Number.MAX_SAFE_INTEGER, id: Number.MAX_SAFE_INTEGER };
  if (cursor === null) return [low, high];
  return order === "asc" ? [cursor, high] : [low, cursor];
}

function toRecord({ id: _, time, ...entry }: Row): AuditRecord {
  return { time: new Date(time).toISOString(), ...entry };
}
