import { SteadyClock } from "../scheduling/steady_clock.ts";
import type { Database } from "./database.ts";
import { OldRows } from "./old_rows.ts";

/** How much is kept. */
export interface AuditOptions {
  /** @default {31_622_400_000} A year. */
  maxAgeMs?: number;
  /** @default {500_000} */
  maxEntries?: number;
  /** Of one organization, so that none can drive out what others did. @default {100_000} */
  maxEntriesOfOne?: number;
  /** By which entries are old. */
  clock?: SteadyClock;
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

const DEFAULTS: Required<Omit<AuditOptions, "clock">> = {
  maxAgeMs: 366 * 24 * 60 * 60 * 1000,
  maxEntries: 500_000,
  maxEntriesOfOne: 100_000,
};
const TABLE = "audit_log";
/** Of each text of an entry; what is longer is cut. */
const MAX_TEXT_LENGTH = 500;

/** Who changed what, and when. Contents, variables and tokens are not in it. */
export class AuditLog {
  readonly #database: Database;
  readonly #options: Required<AuditOptions>;
  readonly #oldRows: OldRows;

  constructor(database: Database, options: AuditOptions = {}) {
    this.#database = database;
    this.#options = { ...DEFAULTS, clock: new SteadyClock(), ...options };
    this.#oldRows = new OldRows(database);
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
    const { maxAgeMs, maxEntries, maxEntriesOfOne, clock } = this.#options;
    const nowMs = clock.steadyMs();
    if (nowMs !== null) await this.#oldRows.deleteBefore({ table: TABLE }, nowMs - maxAgeMs);
    for (let id = this.#organizationAfter(""); id !== null; id = this.#organizationAfter(id)) {
      const ofOne = { table: TABLE, where: "organization_id = ?", parameters: [id] };
      await this.#oldRows.deleteBeyond(ofOne, maxEntriesOfOne);
    }
    await this.#oldRows.deleteBeyond({ table: TABLE }, maxEntries);
  }

  /** Ends a pruning under way at its next step. */
  close(): void {
    this.#oldRows.stop();
  }

  #organizationAfter(id: string): string | null {
    return this.#oldRows.isStopped ? null : this.#database.get<{ id: string | null }>(
      "SELECT min(organization_id) AS id FROM audit_log WHERE organization_id > ?",
      id,
    )!.id;
  }
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
