import type { Acquired, Subhosted } from "../../runner/mod.ts";
import type { SubhosterStatus } from "../api/subhosting/subhoster_status.ts";
import type { LogStore } from "../logs/mod.ts";
import type { Limits } from "../model.ts";
import type { SecretBox } from "../secrets/secret_box.ts";
import type { IsolateObserver } from "../supervisor/isolate_observer.ts";
import type { Launch } from "../supervisor/launch.ts";
import { EventCourier, type EventStats } from "./events/event_courier.ts";
import { EventFeed } from "./events/event_feed.ts";
import { EventSpool } from "./events/event_spool.ts";
import type { SubhostedName, SubhosterConfig } from "./model.ts";
import { OriginClient } from "./origin/origin_client.ts";
import { SubhostedDeployments } from "./subhosted_deployments.ts";
import { SubhostedLogFeed } from "./subhosted_log_feed.ts";
import { SubhosterTotals } from "./subhoster_totals.ts";

/** What {@linkcode Subhosting.open} works with. */
export interface SubhostingOptions {
  subhosters: readonly SubhosterConfig[];
  dataDir: string;
  /** The machine's, where a subhoster has none. */
  region: string;
  limits: Limits;
  box: SecretBox;
  logs: LogStore;
}

/** Deployments that are not in the store, but at their subhosters' origins. */
export class Subhosting implements AsyncDisposable {
  readonly #options: SubhostingOptions;
  readonly #client: OriginClient;
  readonly #deployments: SubhostedDeployments;
  readonly #spool: EventSpool;
  readonly #courier: EventCourier;
  readonly #feed: EventFeed;
  readonly #logs: SubhostedLogFeed;
  readonly #totals: SubhosterTotals;
  /** Since when requests wait for an isolate, by key; in ms on the clock of `performance`. */
  readonly #waitingSince = new Map<string, { atMs: number; waiting: number }>();

  private constructor(options: SubhostingOptions, parts: {
    client: OriginClient;
    deployments: SubhostedDeployments;
    spool: EventSpool;
  }) {
    const { subhosters, logs } = options;
    const { client, deployments, spool } = parts;
    this.#options = options;
    this.#client = client;
    this.#deployments = deployments;
    this.#spool = spool;
    this.#courier = new EventCourier({
      spool,
      post: (origin, gzipped, signal) => client.postEvents(origin, gzipped, signal),
    });
    const regionOf = (subhosterId: string) => this.#regionOf(subhosterId);
    this.#feed = new EventFeed({
      originOf: (key) => deployments.originOf(key),
      regionOf,
      requestedAt: (key) => this.#waitingSince.get(key)?.atMs,
      append: (origin, event) => spool.append(origin, event),
    });
    this.#logs = new SubhostedLogFeed({ logs: logs.subhosted, regionOf });
    this.#totals = new SubhosterTotals(subhosters.map(({ id }) => id));
  }

  /** Opens what is kept of deployments, and the events that wait. */
  static async open(options: SubhostingOptions): Promise<Subhosting> {
    const { subhosters, dataDir, region, limits, box } = options;
    await using opening = new AsyncDisposableStack();
    const client = opening.use(new OriginClient({ subhosters }));
    const deployments = opening.use(
      await SubhostedDeployments.open({
        dataDir,
        box,
        client,
        subhosters,
        region,
        limits,
        failed: (subhosted, reason) => subhosting.#failedSince(subhosted, reason),
      }),
    );
    const spool = opening.use(EventSpool.open(dataDir));
    opening.move();
    const subhosting: Subhosting = new Subhosting(options, { client, deployments, spool });
    return subhosting;
  }

  /** To be told of all isolates; of ordinary ones they take no notice. */
  get observers(): readonly Partial<IsolateObserver>[] {
    return [this.#totals, this.#feed, this.#logs];
  }

  /**
   * An isolate for a request that came through a relay: the origin is asked for what is not kept.
   *
   * @param key `{subhosterId}/{deploymentId}` of `subhosted`
   * @param acquire Gets the isolate of a deployment that can be started.
   */
  async acquire(key: string, subhosted: Subhosted, acquire: () => Promise<Acquired>): Promise<Acquired> {
    const waiting = this.#waitingSince.get(key) ?? { atMs: performance.now(), waiting: 0 };
    waiting.waiting++;
    this.#waitingSince.set(key, waiting);
    try {
      const refused = await this.#deployments.prepare(key, subhosted);
      if (refused === null) return await acquire();
      const { code, retryAfterS, reason } = refused;
      if (reason !== undefined) {
        this.#feed.failedBefore(subhosted, reason);
        this.#logs.report(subhosted, reason);
      }
      return { code, retryAfterS };
    } finally {
      if (--waiting.waiting === 0) this.#waitingSince.delete(key);
    }
  }

  /** @throws {Error} The deployment was not prepared, or its subhoster is no more. */
  get(key: string): Launch {
    return this.#deployments.launch(key);
  }

  /** Delivers events until it is disposed: only one server of a data directory may. */
  deliver(): AsyncDisposable {
    this.#courier.start();
    return { [Symbol.asyncDispose]: () => this.#courier.stop() };
  }

  /** How each subhoster does. */
  status(): SubhosterStatus[] {
    const { subhosters, limits } = this.#options;
    const states = this.#client.states();
    const events = new Map(this.#courier.stats().map((stats) => [stats.subhosterId, stats]));
    return subhosters.map((subhoster) => {
      const { id, rpcRoots, nextSecret, net } = subhoster;
      const kept = this.#deployments.stats(id);
      const { usage: { memoryBytes: _, ...usage }, isolates } = this.#totals.of(id);
      return {
        id,
        rpcRoots,
        region: this.#regionOf(id),
        limits: { ...limits, ...subhoster.limits },
        permissions: { net },
        hasNextSecret: nextSecret !== null,
        cached: { deployments: kept.entries, bytes: kept.bytes },
        isolates,
        usage,
        origins: states
          .filter(({ origin }) => origin.subhosterId === id)
          .map(({ origin: { rpcRoot }, lastError, ...state }) => ({
            rpcRoot,
            ...state,
            lastError: shownError(lastError),
          })),
        events: eventsStatus(events.get(id)),
      };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#courier.stop();
    this.#spool[Symbol.dispose]();
    await this.#deployments[Symbol.asyncDispose]();
    this.#client[Symbol.dispose]();
  }

  #failedSince(subhosted: SubhostedName, reason: string): void {
    this.#feed.failedSince(subhosted, reason);
    this.#logs.report(subhosted, reason);
  }

  #regionOf(subhosterId: string): string {
    const { subhosters, region } = this.#options;
    return subhosters.find(({ id }) => id === subhosterId)?.region ?? region;
  }
}

function eventsStatus(stats: EventStats | undefined): SubhosterStatus["events"] {
  return {
    pending: stats?.pendingEvents ?? 0,
    pendingBytes: stats?.pendingBytes ?? 0,
    delivered: stats?.delivered ?? 0,
    dropped: stats?.dropped ?? 0,
    lastError: shownError(stats?.lastError ?? null),
  };
}

function shownError(error: { message: string; atMs: number } | null) {
  return error && { message: error.message, time: new Date(error.atMs).toISOString() };
}
