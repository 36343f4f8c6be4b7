import { doneWithin } from "../../scheduling/done_within.ts";
import { SteadyClock } from "../../scheduling/steady_clock.ts";
import { nextTurn } from "../../scheduling/turn.ts";
import type { Origin } from "../model.ts";
import { machineClock, type OriginClock } from "../origin/origin_clock.ts";
import { OriginError } from "../origin/origin_error.ts";
import { DeliveryTurn } from "./delivery_turn.ts";
import type { EventSpool } from "./event_spool.ts";
import type { Batch, SpooledOrigin } from "./event_table.ts";
import { gzipLines } from "./gzip_lines.ts";

/** How often the spool is looked at, into which another process may have written. */
const LOOK_INTERVAL_MS = 250;
/** Before gzip. */
const MAX_BATCH_BYTES = 2 ** 20;
/** Origins that are posted to at one time. */
const MAX_POSTS = 32;
/** The same of one subhoster, whose origins may all take their time. */
const MAX_SUBHOSTER_POSTS = 4;
/** Older events are dropped. */
const MAX_AGE_MS = 7 * 24 * 60 * 60_000;
/** How long the batches in flight may take when delivery stops. */
const STOP_TIMEOUT_MS = 3_000;
/** How long they may take to notice that nobody waits any more. */
const ABORT_TIMEOUT_MS = 500;

/** What the courier works with. */
export interface EventCourierOptions {
  spool: EventSpool;
  /** @throws {OriginError} the origin has not taken them */
  post(origin: Origin, gzipped: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void>;
  /** @default {machineClock} */
  clock?: OriginClock;
  /** By which events are too old. @default {new SteadyClock()} */
  wallClock?: Pick<SteadyClock, "steadyMs">;
}

/** How the events of a subhoster do. Counts are since the start of the server. */
export interface EventStats {
  subhosterId: string;
  pendingEvents: number;
  pendingBytes: number;
  delivered: number;
  dropped: number;
  /** `null` = no delivery has failed. */
  lastError: { message: string; /** Unix ms. */ atMs: number } | null;
}

interface Route {
  readonly turn: DeliveryTurn;
  /** Settles, never rejects, when the batch in flight has arrived or not. */
  inFlight?: Promise<void>;
}

/**
 * Brings spooled events to their origins: the oldest first, one batch at a time for each origin, at least once. Only one
 * server may do so at a time, or events come twice.
 *
 * **Invariant:** a batch leaves the spool only when its origin has taken it, or never will.
 */
export class EventCourier implements AsyncDisposable {
  readonly #spool: EventSpool;
  readonly #post: EventCourierOptions["post"];
  readonly #clock: OriginClock;
  readonly #wallClock: Pick<SteadyClock, "steadyMs">;
  /** By the spool's id of the origin; those that nothing waits for are forgotten. */
  readonly #routes = new Map<number, Route>();
  readonly #delivered = new Map<string, number>();
  readonly #lastErrors = new Map<string, EventStats["lastError"]>();
  #cancelLook: (() => void) | null = null;
  #stopping = new AbortController();
  #reads: Promise<void> = Promise.resolve();
  #isLookFailing = false;

  constructor(
    { spool, post, clock = machineClock, wallClock = new SteadyClock() }: EventCourierOptions,
  ) {
    this.#spool = spool;
    this.#post = post;
    this.#clock = clock;
    this.#wallClock = wallClock;
  }

  /** Delivers from now on. Idempotent. */
  start(): void {
    if (this.#isStarted) return;
    this.#stopping = new AbortController();
    this.#lookLater();
  }

  /** Delivers no more. The batches in flight have some seconds to arrive; what has not will be sent again. Idempotent. */
  async stop(): Promise<void> {
    this.#cancelLook?.();
    this.#cancelLook = null;
    const inFlight = Promise.all(Array.from(this.#routes.values(), (route) => route.inFlight));
    if (await doneWithin(inFlight, STOP_TIMEOUT_MS)) return;
    this.#stopping.abort();
    await doneWithin(inFlight, ABORT_TIMEOUT_MS);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Of every subhoster that has had events. */
  stats(): EventStats[] {
    const stats = new Map<string, EventStats>();
    const of = (subhosterId: string): EventStats => {
      let found = stats.get(subhosterId);
      if (found === undefined) {
        found = {
          subhosterId,
          pendingEvents: 0,
          pendingBytes: 0,
          delivered: this.#delivered.get(subhosterId) ?? 0,
          dropped: this.#spool.dropped.get(subhosterId) ?? 0,
          lastError: this.#lastErrors.get(subhosterId) ?? null,
        };
        stats.set(subhosterId, found);
      }
      return found;
    };
    for (const { origin: { subhosterId }, events, bytes } of this.#spool.waiting()) {
      of(subhosterId).pendingEvents += events;
      of(subhosterId).pendingBytes += bytes;
    }
    for (const counts of [this.#delivered, this.#spool.dropped, this.#lastErrors]) {
      for (const subhosterId of counts.keys()) of(subhosterId);
    }
    return [...stats.values()];
  }

  get #isStarted(): boolean {
    return this.#cancelLook !== null;
  }

  #lookLater() {
    this.#cancelLook = this.#clock.after(LOOK_INTERVAL_MS, () => {
      this.#lookLater();
      this.#look();
    });
  }

  #look() {
    try {
      this.#send(this.#spool.waiting());
      this.#isLookFailing = false;
    } catch (error) {
      if (!this.#isLookFailing) {
        console.error("Cannot read events of subhosting, which is tried again:", error);
      }
      this.#isLookFailing = true;
    }
  }

  #send(waiting: readonly SpooledOrigin[]) {
    const isWaiting = new Set(waiting.map(({ id }) => id));
    for (const [id, { inFlight }] of this.#routes) {
      if (inFlight === undefined && !isWaiting.has(id)) this.#routes.delete(id);
    }
    const routed = waiting.map((spooled) => ({ spooled, route: this.#route(spooled.id) }));
    const now = this.#clock.now();
    const posted = routed.filter(({ route }) => route.inFlight !== undefined);
    const posts = new Map<string, number>();
    for (const { spooled: { origin } } of posted) count(posts, origin.subhosterId, 1);
    let free = MAX_POSTS - posted.length;
    const due = routed.filter(({ route }) => route.inFlight === undefined && route.turn.dueAt <= now)
      .sort((a, b) => a.route.turn.dueAt - b.route.turn.dueAt);
    for (const { spooled, route } of due) {
      const { subhosterId } = spooled.origin;
      if (free <= 0) return;
      if ((posts.get(subhosterId) ?? 0) >= MAX_SUBHOSTER_POSTS) continue;
      free--;
      count(posts, subhosterId, 1);
      route.inFlight = this.#deliver(spooled, route.turn).finally(() => {
        route.inFlight = undefined;
        // There may be more of it, or others that wait for their turn.
        if (this.#isStarted) this.#look();
      });
    }
  }

  #route(id: number): Route {
    let route = this.#routes.get(id);
    if (route === undefined) this.#routes.set(id, route = { turn: new DeliveryTurn() });
    return route;
  }

  async #deliver({ id, origin }: SpooledOrigin, turn: DeliveryTurn): Promise<void> {
    let events = 1;
    try {
      await this.#nextRead();
      const batch = this.#isStarted ? this.#spool.oldest(id, turn.maxEvents, MAX_BATCH_BYTES) : null;
      if (batch === null) return turn.delivered(this.#clock.now(), false);
      events = batch.lines.length;
      if (this.#isTooOld(batch)) return this.#spool.drop(origin, batch);
      try {
        await this.#post(origin, await gzipLines(batch.lines), this.#stopping.signal);
      } catch (error) {
        this.#failed(origin, batch, turn, error);
        return;
      }
      this.#spool.delivered(batch);
      count(this.#delivered, origin.subhosterId, events);
      turn.delivered(this.#clock.now(), batch.isMore);
    } catch (error) {
      // Of the spool, such as a disk that takes nothing.
      this.#noteError(origin, error);
      turn.failed(this.#clock.now(), events, {});
    }
  }

  /** So that many origins with much to be read do not hold the event loop together. */
  #nextRead(): Promise<void> {
    return this.#reads = this.#reads.then(nextTurn);
  }

  #failed(origin: Origin, batch: Batch, turn: DeliveryTurn, error: unknown) {
    if (this.#stopping.signal.aborted) return;
    this.#noteError(origin, error);
    const failure = error instanceof OriginError ? error : {};
    const isHopeless = turn.failed(this.#clock.now(), batch.lines.length, failure);
    if (isHopeless) this.#spool.drop(origin, batch);
  }

  #noteError({ subhosterId }: Origin, error: unknown) {
    const message = error instanceof Error ? error.message : String(error);
    this.#lastErrors.set(subhosterId, { message, atMs: Date.now() });
  }

  #isTooOld({ writtenAtMs }: Batch): boolean {
    const nowMs = this.#wallClock.steadyMs();
    return nowMs !== null && writtenAtMs < nowMs - MAX_AGE_MS;
  }
}

function count(counts: Map<string, number>, key: string, more: number) {
  counts.set(key, (counts.get(key) ?? 0) + more);
}
