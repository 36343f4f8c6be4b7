import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Database, openDatabase, StoreError } from "../../store/mod.ts";
import { Turn } from "../../scheduling/turn.ts";
import type { Origin, SubhostingEvent } from "../model.ts";
import { type EventLine, eventLine, isLog } from "./event_chunk.ts";
import { type Batch, EVENT_MIGRATIONS, EventTable, type SpooledOrigin } from "./event_table.ts";

const MIB = 2 ** 20;
/** Events that wait to be written; lines beyond are dropped and counted. They are only so many when the disk is slow. */
const MAX_QUEUE = 20_000;
/** The same for events that are no lines. */
const MAX_OTHER_QUEUE = 40_000;
/** Origins that events wait for to be written; what comes for others is dropped and counted. */
const MAX_QUEUES = 10_000;
/** Written in one transaction: about 4 ms of the event loop. */
const MAX_WRITTEN = { events: 1000, bytes: MIB / 2 };
/** How long an event waits for others before it is written. */
const FLUSH_DELAY_MS = 100;
/** When the disk takes nothing. */
const RETRY_DELAY_MS = 2000;

/** How much is kept for each subhoster. */
export interface EventSpoolOptions {
  /** Of `log` events that wait. @default {67_108_864} */
  maxLogBytes?: number;
  /** Of all others. @default {16_777_216} */
  maxOtherBytes?: number;
}

/** What waits to be written for an origin. */
interface Queue {
  readonly origin: Origin;
  events: EventLine[];
  /** After all of `events`. */
  dropped?: { count: number; last: string };
}

/**
 * Events on their way to their origins: on disk within 100 ms, in order for each origin, until they are delivered. Two
 * servers may write to it at a time.
 *
 * **Invariant:** an event is in the queue, on disk, delivered, or counted as dropped.
 */
export class EventSpool implements Disposable {
  readonly #database: Database;
  readonly #table: EventTable;
  readonly #queues = new Map<string, Queue>();
  #queued = 0;
  readonly #dropped = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isFailing = false;

  private constructor(database: Database, { maxLogBytes, maxOtherBytes }: Required<EventSpoolOptions>) {
    this.#database = database;
    this.#table = new EventTable(database, { logBytes: maxLogBytes, otherBytes: maxOtherBytes });
  }

  /** Opens the spool of a data directory. One that cannot be read is set aside: no server stays down for it. */
  static open(
    dataDir: string,
    { maxLogBytes = 64 * MIB, maxOtherBytes = 16 * MIB }: EventSpoolOptions = {},
  ): EventSpool {
    const dir = join(dataDir, "subhosting");
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const database = openOrBeginAnew(join(dir, "events.db"));
    return new EventSpool(database, { maxLogBytes, maxOtherBytes });
  }

  /** Events that were dropped since the start, by subhoster. */
  get dropped(): ReadonlyMap<string, number> {
    return this.#dropped;
  }

  append(origin: Origin, event: SubhostingEvent): void {
    const key = `${origin.subhosterId}/${origin.rpcRoot}`;
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      if (this.#queues.size >= MAX_QUEUES) return this.#countDropped(origin, 1);
      this.#queues.set(key, queue = { origin, events: [] });
    }
    const line = eventLine(event);
    const isFull = isLog(line.text)
      // Once one was dropped, others are until that is written, which says it in the right place.
      ? queue.dropped !== undefined || this.#queued >= MAX_QUEUE
      : this.#queued >= MAX_OTHER_QUEUE;
    if (isFull) {
      queue.dropped = { count: (queue.dropped?.count ?? 0) + 1, last: line.text };
      this.#countDropped(origin, 1);
    } else {
      queue.events.push(line);
      this.#queued++;
    }
    this.#timer ??= setTimeout(() => this.#writeSome(), FLUSH_DELAY_MS);
  }

  /** Origins with events that are on disk. */
  waiting(): SpooledOrigin[] {
    return this.#table.waiting();
  }

  /** The oldest events of the origin that are on disk, at most so many and so many bytes, but one at least. */
  oldest(originId: number, maxEvents: number, maxBytes: number): Batch | null {
    return this.#table.oldest(originId, maxEvents, maxBytes);
  }

  /** Removes events that were delivered. */
  delivered(batch: Batch): void {
    this.#table.remove(batch, Date.now());
  }

  /** Removes events that will not be delivered. */
  drop(origin: Origin, batch: Batch): void {
    this.#table.drop(batch);
    this.#countDropped(origin, batch.lines.length);
  }

  /** Writes everything that waits, in short steps. What the disk does not take goes on waiting. */
  async settle(): Promise<void> {
    const turn = new Turn();
    while (this.#queues.size > 0 && this.#tryWrite()) {
      if (turn.isOver()) await turn.next();
    }
  }

  /** Writes everything that waits, and closes the file. What the disk does not take is lost, and the server's log says so. */
  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#queues.size > 0 && this.#tryWrite());
    if (this.#queued > 0) console.error(`${this.#queued} events of subhosting are lost`);
    this.#queues.clear();
    this.#queued = 0;
    this.#database.close();
  }

  #writeSome() {
    const delayMs = this.#tryWrite() ? 0 : RETRY_DELAY_MS;
    this.#timer = this.#queues.size > 0 ? setTimeout(() => this.#writeSome(), delayMs) : null;
  }

  #tryWrite(): boolean {
    try {
      this.#write();
      this.#isFailing = false;
      return true;
    } catch (error) {
      if (!this.#isFailing) {
        console.error("Cannot write events of subhosting, which is tried again:", error);
      }
      this.#isFailing = true;
      return false;
    }
  }

  #write() {
    const written: { key: string; queue: Queue; count: number; droppedCount: number }[] = [];
    this.#database.transaction(() => {
      const room = { ...MAX_WRITTEN };
      for (const [key, queue] of this.#queues) {
        if (room.events <= 0 || room.bytes <= 0) break;
        const events = takeFrom(queue.events, room);
        const droppedCount = this.#table.append(queue.origin, events, Date.now());
        const { dropped } = queue;
        if (events.length === queue.events.length && dropped !== undefined) {
          this.#table.noteDropped(queue.origin, dropped.count, dropped.last);
        }
        written.push({ key, queue, count: events.length, droppedCount });
      }
    });
    for (const { key, queue, count, droppedCount } of written) {
      if (count === queue.events.length) this.#queues.delete(key);
      else queue.events = queue.events.slice(count);
      this.#queued -= count;
      if (droppedCount > 0) this.#countDropped(queue.origin, droppedCount);
    }
  }

  #countDropped({ subhosterId }: Origin, count: number) {
    this.#dropped.set(subhosterId, (this.#dropped.get(subhosterId) ?? 0) + count);
  }
}

function openOrBeginAnew(path: string): Database {
  const open = () => openDatabase(path, { migrations: EVENT_MIGRATIONS, durability: "normal" });
  try {
    return open();
  } catch (error) {
    if (!(error instanceof StoreError && error.code === "damaged")) throw error;
    console.error(`Cannot read "${path}", now "${path}.damaged"; events of subhosting that waited are lost`);
    renameSync(path, `${path}.damaged`);
    for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
    return open();
  }
}

/** The first of them, as many as there is room for; the room is less by them. */
function takeFrom(events: readonly EventLine[], room: { events: number; bytes: number }): EventLine[] {
  let count = 0;
  for (const { bytes } of events) {
    if (room.events <= 0 || room.bytes <= 0) break;
    room.events--;
    room.bytes -= bytes;
    count++;
  }
  return events.slice(0, count);
}
