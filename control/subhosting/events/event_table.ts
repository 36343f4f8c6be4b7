import type { Database } from "../../store/mod.ts";
import type { Origin } from "../model.ts";
import { chunkOf, type Dropped, type EventLine, moreDropped, pack, type Room } from "./event_chunk.ts";

/** Forward-only, never edited once released. */
export const EVENT_MIGRATIONS: readonly string[] = [`
  -- With what is spooled for it now: the sums of its chunks.
  CREATE TABLE origins (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subhoster TEXT NOT NULL,
    rpc_root TEXT NOT NULL,
    events INTEGER NOT NULL DEFAULT 0,
    log_bytes INTEGER NOT NULL DEFAULT 0,
    other_bytes INTEGER NOT NULL DEFAULT 0,
    dropped TEXT,
    UNIQUE (subhoster, rpc_root)
  ) STRICT;
  -- Lines of JSON that were written at one time, in order.
  CREATE TABLE chunks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    origin INTEGER NOT NULL REFERENCES origins,
    written_at_ms INTEGER NOT NULL,
    events INTEGER NOT NULL,
    log_bytes INTEGER NOT NULL,
    other_bytes INTEGER NOT NULL,
    lines TEXT NOT NULL
  ) STRICT;
  CREATE INDEX chunks_by_origin ON chunks (origin, seq);
`];

/** Origins of one subhoster with events that wait; more get none. */
const MAX_ORIGINS = 256;
/** Chunks in one batch. */
const MAX_CHUNKS = 1000;
/** So much has to be free for lines until they are taken again, once some were dropped; at most half of all. */
const RESUME_BYTES = 64 * 1024;

/** What is spooled for an origin. */
export interface SpooledOrigin {
  id: number;
  origin: Origin;
  events: number;
  bytes: number;
}

/** Events of one origin that are to be delivered together: its oldest. */
export interface Batch {
  originId: number;
  lines: string[];
  /** Whether there are others after them. */
  isMore: boolean;
  /** When the last of them was written; Unix ms. */
  writtenAtMs: number;
  /** The chunk that it ends with, and how many events that has. */
  lastSeq: number;
  lastEvents: number;
  /** So many of the last chunk's events belong to the batch: all, unless one chunk is too much. */
  lastTaken: number;
}

/** How many bytes are kept for one subhoster. */
export interface SpoolBounds {
  logBytes: number;
  otherBytes: number;
}

interface OriginRow {
  id: number;
  subhoster: string;
  rpc_root: string;
  events: number;
  log_bytes: number;
  other_bytes: number;
  dropped: string | null;
}

interface ChunkRow {
  seq: number;
  events: number;
  bytes: number;
  written_at_ms: number;
}

/** What chunks are together. */
interface Sums {
  events: number | null;
  log_bytes: number | null;
  other_bytes: number | null;
}

/** The spool on disk. Each call is one short transaction, and may come from two processes. */
export class EventTable {
  readonly #database: Database;
  readonly #bounds: SpoolBounds;

  constructor(database: Database, bounds: SpoolBounds) {
    this.#database = database;
    this.#bounds = bounds;
  }

  /** Origins with events that wait. */
  waiting(): SpooledOrigin[] {
    return this.#database.all<OriginRow>("SELECT * FROM origins WHERE events > 0").map((row) => ({
      id: row.id,
      origin: { subhosterId: row.subhoster, rpcRoot: row.rpc_root },
      events: row.events,
      bytes: row.log_bytes + row.other_bytes,
    }));
  }

  /**
   * Appends events, those for which there is room.
   *
   * @returns how many were dropped
   */
  append(origin: Origin, events: readonly EventLine[], nowMs: number): number {
    return this.#database.transaction(() => {
      const row = this.#origin(origin);
      return row === undefined ? events.length : this.#append(row, events, nowMs);
    });
  }

  /** Notes that events were dropped, the last of them `last`, after all that was appended. */
  noteDropped(origin: Origin, count: number, last: string): void {
    this.#database.transaction(() => {
      const row = this.#origin(origin);
      if (row !== undefined) this.#setDropped(row.id, moreDropped(droppedOf(row), count, last));
    });
  }

  /** The oldest events of the origin, at most so many and so many bytes, but one at least; `null` = there is none. */
  oldest(originId: number, maxEvents: number, maxBytes: number): Batch | null {
    const chunks = this.#database.all<ChunkRow>(
      `SELECT seq, events, log_bytes + other_bytes AS bytes, written_at_ms
       FROM chunks WHERE origin = ? ORDER BY seq LIMIT ${MAX_CHUNKS}`,
      originId,
    );
    const last = chunks[howMany(chunks, maxEvents, maxBytes) - 1];
    if (last === undefined) return null;
    const lines = this.#database.all<{ lines: string }>(
      "SELECT lines FROM chunks WHERE origin = ? AND seq <= ? ORDER BY seq",
      originId,
      last.seq,
    ).flatMap((row) => row.lines.split("\n"));
    const tooMany = Math.max(0, lines.length - maxEvents);
    return {
      originId,
      lines: tooMany === 0 ? lines : lines.slice(0, maxEvents),
      isMore: tooMany > 0 || last !== chunks.at(-1),
      writtenAtMs: last.written_at_ms,
      lastSeq: last.seq,
      lastEvents: last.events,
      lastTaken: last.events - tooMany,
    };
  }

  /** Removes what was delivered, and tells of dropped events that there is room for now. */
  remove(batch: Batch, nowMs: number): void {
    this.#database.transaction(() => {
      this.#remove(batch);
      const row = this.#row(batch.originId);
      if (row === undefined) return;
      if (row.dropped !== null) this.#append(row, [], nowMs);
      else if (row.events === 0) this.#database.run("DELETE FROM origins WHERE id = ?", row.id);
    });
  }

  /** Removes what will not be delivered, which is told when something is appended or delivered again. */
  drop(batch: Batch): void {
    this.#database.transaction(() => {
      const row = this.#row(batch.originId);
      if (row === undefined) return;
      this.#setDropped(row.id, moreDropped(droppedOf(row), batch.lines.length, batch.lines.at(-1)!));
      this.#remove(batch);
    });
  }

  #append(row: OriginRow, events: readonly EventLine[], nowMs: number): number {
    const before = droppedOf(row);
    const { chunk, dropped, droppedNow } = pack(events, this.#room(row.subhoster), before);
    if (chunk.lines.length > 0) {
      this.#database.run(
        `INSERT INTO chunks (origin, written_at_ms, events, log_bytes, other_bytes, lines)
         VALUES (?, ?, ?, ?, ?, ?)`,
        row.id,
        nowMs,
        chunk.lines.length,
        chunk.logBytes,
        chunk.otherBytes,
        chunk.lines.join("\n"),
      );
      this.#count(row.id, chunk.lines.length, chunk.logBytes, chunk.otherBytes);
    }
    if (dropped !== before) this.#setDropped(row.id, dropped);
    return droppedNow;
  }

  #remove({ originId, lastSeq, lastEvents, lastTaken }: Batch) {
    const isWhole = lastTaken === lastEvents;
    const until = isWhole ? lastSeq : lastSeq - 1;
    const sums = this.#database.get<Sums>(
      `SELECT sum(events) AS events, sum(log_bytes) AS log_bytes, sum(other_bytes) AS other_bytes
       FROM chunks WHERE origin = ? AND seq <= ?`,
      originId,
      until,
    )!;
    // Another process may have removed them.
    if (sums.events !== null) {
      this.#database.run("DELETE FROM chunks WHERE origin = ? AND seq <= ?", originId, until);
      this.#count(originId, -sums.events, -sums.log_bytes!, -sums.other_bytes!);
    }
    if (!isWhole) this.#shorten(originId, lastSeq, lastEvents, lastTaken);
  }

  /** Removes the first `taken` events of a chunk that has `events`, or had. */
  #shorten(originId: number, seq: number, events: number, taken: number) {
    const row = this.#database.get<{ lines: string; log_bytes: number; other_bytes: number }>(
      "SELECT lines, log_bytes, other_bytes FROM chunks WHERE seq = ? AND events = ?",
      seq,
      events,
    );
    if (row === undefined) return;
    const rest = chunkOf(row.lines.split("\n").slice(taken));
    this.#database.run(
      "UPDATE chunks SET events = ?, log_bytes = ?, other_bytes = ?, lines = ? WHERE seq = ?",
      rest.lines.length,
      rest.logBytes,
      rest.otherBytes,
      rest.lines.join("\n"),
      seq,
    );
    this.#count(originId, -taken, rest.logBytes - row.log_bytes, rest.otherBytes - row.other_bytes);
  }

  #count(originId: number, events: number, logBytes: number, otherBytes: number) {
    this.#database.run(
      `UPDATE origins SET events = events + ?, log_bytes = log_bytes + ?, other_bytes = other_bytes + ?
       WHERE id = ?`,
      events,
      logBytes,
      otherBytes,
      originId,
    );
  }

  #setDropped(originId: number, dropped: Dropped | null) {
    this.#database.run(
      "UPDATE origins SET dropped = ? WHERE id = ?",
      dropped === null ? null : JSON.stringify(dropped),
      originId,
    );
  }

  #room(subhoster: string): Room {
    const { log_bytes, other_bytes } = this.#database.get<Sums>(
      "SELECT sum(log_bytes) AS log_bytes, sum(other_bytes) AS other_bytes FROM origins WHERE subhoster = ?",
      subhoster,
    )!;
    const { logBytes, otherBytes } = this.#bounds;
    return {
      log: logBytes - (log_bytes ?? 0),
      other: otherBytes - (other_bytes ?? 0),
      resume: Math.min(RESUME_BYTES, logBytes / 2),
    };
  }

  #row(originId: number): OriginRow | undefined {
    return this.#database.get<OriginRow>("SELECT * FROM origins WHERE id = ?", originId);
  }

  /** Made if it is not there; `undefined` = there are too many. */
  #origin({ subhosterId, rpcRoot }: Origin): OriginRow | undefined {
    const find = () =>
      this.#database.get<OriginRow>(
        "SELECT * FROM origins WHERE subhoster = ? AND rpc_root = ?",
        subhosterId,
        rpcRoot,
      );
    const found = find();
    if (found !== undefined) return found;
    if (this.#originCount(subhosterId) >= MAX_ORIGINS) {
      // Of which only dropped events are known.
      this.#database.run("DELETE FROM origins WHERE subhoster = ? AND events = 0", subhosterId);
      if (this.#originCount(subhosterId) >= MAX_ORIGINS) return undefined;
    }
    this.#database.run("INSERT INTO origins (subhoster, rpc_root) VALUES (?, ?)", subhosterId, rpcRoot);
    return find();
  }

  #originCount(subhosterId: string): number {
    const sql = "SELECT count(*) AS count FROM origins WHERE subhoster = ?";
    return this.#database.get<{ count: number }>(sql, subhosterId)!.count;
  }
}

function droppedOf({ dropped }: OriginRow): Dropped | null {
  return dropped === null ? null : JSON.parse(dropped) as Dropped;
}

/** So many of the chunks fit, the first in any case. */
function howMany(chunks: readonly ChunkRow[], maxEvents: number, maxBytes: number): number {
  let events = 0;
  let bytes = 0;
  const tooMany = chunks.findIndex((chunk, index) => {
    events += chunk.events;
    bytes += chunk.bytes;
    return index > 0 && (events > maxEvents || bytes > maxBytes);
  });
  return tooMany === -1 ? chunks.length : tooMany;
}
