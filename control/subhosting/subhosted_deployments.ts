import { join } from "node:path";
import { v8Flags } from "../../isolate/mod.ts";
import type { ErrorCode, Subhosted } from "../../runner/mod.ts";
import type { Limits } from "../model.ts";
import type { SecretBox } from "../secrets/secret_box.ts";
import type { Launch } from "../supervisor/launch.ts";
import { CodeCompiler } from "./content/code_compiler.ts";
import { ContentStore } from "./content/content_store.ts";
import { subhostedLaunch } from "./content/program.ts";
import { programModules } from "./content/program_modules.ts";
import { FileProvider } from "./content/provided_files.ts";
import { RecentlyUsed } from "./content/recently_used.ts";
import { SingleFlight } from "./content/single_flight.ts";
import type { Origin, SubhostedName, SubhosterConfig } from "./model.ts";
import type { OriginClient } from "./origin/origin_client.ts";
import { OriginError } from "./origin/origin_error.ts";
import { subhostedName, subhosterOf } from "./subhoster_of.ts";

/** What {@linkcode SubhostedDeployments.open} works with. */
export interface SubhostedDeploymentsOptions {
  dataDir: string;
  box: SecretBox;
  client: Pick<OriginClient, "boot" | "readTree" | "readBlob">;
  subhosters: readonly SubhosterConfig[];
  /** A program does not get its files, and why: in words for its subhoster. */
  failed(subhosted: SubhostedName, reason: string): void;
  /** The machine's, where a subhoster has none. */
  region: string;
  limits: Limits;
  /**
   * Of all that is kept on disk.
   *
   * @default {4 GiB}
   */
  maxBytes?: number;
  /**
   * In ms, never set back.
   *
   * @default {performance.now}
   */
  now?(): number;
}

/** Why a deployment cannot be started. */
export interface NotPrepared {
  code: ErrorCode;
  retryAfterS?: number;
  /** For the subhoster's events; one of all who wait for the same is told. */
  reason?: string;
}

/** Deployments that are being prepared; more are refused. */
const MAX_PREPARING = 4_096;
/** Of these, those of one subhoster that its origin is asked for: a slow one keeps out nobody else. */
const MAX_SUBHOSTER_BOOTS = 256;
const REFUSED_RETRY_S = 1;
/** How long it is not asked again for what an origin does not have, or has not in order. */
const REFUSAL_MS = 5_000;
/** Of one subhoster: deployments of which it is remembered what became of them, and characters of their origins. */
const MAX_REMEMBERED = { maxEntries: 10_000, maxWeight: 4 * 2 ** 20 };
/** V8 compiles less than that in no time. */
const MIN_COMPILED_BYTES = 32 * 1024;

interface Refusal {
  code: ErrorCode;
  /** Who was asked. */
  rpcRoot: string;
  until: number;
}

/** What is remembered of one subhoster's deployments, by their keys: no other has it forgotten. */
class Remembered {
  readonly refusals = rememberedByKey<Refusal>();
  readonly origins = rememberedByKey<Origin>();
  /** Under way. */
  boots = 0;
}

/**
 * Deployments of subhosters, from a verified request to what the supervisor can start. What was fetched once is kept by
 * (subhoster, deployment), and never fetched again while it is; the newest request says which origin is asked.
 */
export class SubhostedDeployments implements AsyncDisposable {
  readonly #options: SubhostedDeploymentsOptions;
  readonly #subhosters: ReadonlyMap<string, SubhosterConfig>;
  readonly #store: ContentStore;
  readonly #files: FileProvider;
  readonly #compiler: CodeCompiler;
  readonly #now: () => number;
  readonly #closed = new AbortController();
  readonly #preparing = new SingleFlight<NotPrepared | null>();
  /** By subhoster. */
  readonly #remembered = new Map<string, Remembered>();

  private constructor(options: SubhostedDeploymentsOptions, store: ContentStore) {
    this.#options = options;
    this.#subhosters = new Map(options.subhosters.map((subhoster) => [subhoster.id, subhoster]));
    this.#store = store;
    this.#files = new FileProvider({
      store,
      client: options.client,
      signal: this.#closed.signal,
      failed: ({ key }, reason) => options.failed(subhostedName(key)!, reason),
    });
    this.#compiler = new CodeCompiler({ store, v8Flags: v8Flags(options.limits.memoryMb) });
    this.#now = options.now ?? (() => performance.now());
  }

  /** Opens what is kept below `dataDir`. */
  static async open(options: SubhostedDeploymentsOptions): Promise<SubhostedDeployments> {
    const { dataDir, box, maxBytes } = options;
    const dir = join(dataDir, "subhosting", "content");
    return new SubhostedDeployments(options, await ContentStore.open({ dir, box, maxBytes }));
  }

  /**
   * Sees to it that {@linkcode launch} has the deployment.
   *
   * @param key `{subhosterId}/{deploymentId}` of `subhosted`
   * @returns why it has not; `null` = it has
   */
  prepare(key: string, subhosted: Subhosted): Promise<NotPrepared | null> {
    if (this.#closed.signal.aborted) return Promise.resolve(CLOSED);
    const origin = { subhosterId: subhosted.subhosterId, rpcRoot: subhosted.rpcRoot };
    const { refusals, origins } = this.#rememberedOf(origin.subhosterId);
    origins.set(key, origin);
    if (this.#store.remembered(key) !== undefined) return PREPARED;
    const refusal = refusals.get(key);
    if (refusal?.rpcRoot === origin.rpcRoot && this.#now() < refusal.until) {
      return Promise.resolve({ code: refusal.code });
    }
    const underWay = this.#preparing.get(key);
    if (underWay !== undefined) return underWay.then(withoutReason);
    if (this.#preparing.size >= MAX_PREPARING) return Promise.resolve(OVERLOADED);
    return this.#preparing.run(key, () => this.#prepare(key, origin, subhosted.deploymentId));
  }

  /**
   * What it takes to start a deployment that was prepared.
   *
   * @throws {Error} Nothing is kept of it, or its subhoster is no more.
   */
  launch(key: string): Launch {
    const { subhosterId, deploymentId } = subhostedName(key) ?? { subhosterId: "", deploymentId: key };
    const subhoster = this.#subhosters.get(subhosterId);
    if (subhoster === undefined) {
      throw new Error(`Cannot start deployment "${key}": there is no subhoster "${subhosterId}"`);
    }
    const program = this.#store.read(key);
    const first = this.originOf(key);
    const origin = () => {
      const newest = this.originOf(key) ?? first;
      if (newest === undefined) throw new OriginError("unavailable", `Cannot find the origin of "${key}"`);
      return newest;
    };
    return subhostedLaunch({
      program,
      owner: { key, deploymentId, origin },
      subhoster,
      defaults: this.#options,
      store: this.#store,
      files: this.#files,
    });
  }

  /** The origin that the newest request for a deployment named; those of long ago are forgotten. */
  originOf(key: string): Origin | undefined {
    return this.#rememberedOf(subhosterOf(key) ?? "").origins.get(key);
  }

  /** How much of a subhoster's is kept on disk, and how many of its deployments are being fetched. */
  stats(subhosterId: string): { entries: number; bytes: number; booting: number } {
    return { ...this.#store.totals(subhosterId), booting: this.#rememberedOf(subhosterId).boots };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#preparing.settled();
    await this.#compiler[Symbol.asyncDispose]();
    await this.#files.settled();
    await this.#store[Symbol.asyncDispose]();
  }

  async #prepare(key: string, origin: Origin, deploymentId: string): Promise<NotPrepared | null> {
    try {
      if (await this.#store.load(key) !== undefined) return null;
      return await this.#boot(key, origin, deploymentId);
    } catch (error) {
      if (error instanceof OriginError) return this.#refuse(key, origin, error);
      if (this.#closed.signal.aborted) return CLOSED;
      console.error(`Cannot keep deployment "${key}":`, error);
      return OVERLOADED;
    }
  }

  async #boot(key: string, origin: Origin, deploymentId: string): Promise<NotPrepared | null> {
    const remembered = this.#rememberedOf(origin.subhosterId);
    if (remembered.boots >= MAX_SUBHOSTER_BOOTS) return OVERLOADED;
    remembered.boots++;
    try {
      const { config, body } = await this.#options.client.boot(origin, deploymentId, this.#closed.signal);
      const modules = await programModules(config, body);
      await this.#store.add(key, modules, config);
      const { entryFile, sources: { size } } = modules;
      if (size === 1 && body.length >= MIN_COMPILED_BYTES) this.#compiler.add(key, entryFile);
      return null;
    } finally {
      remembered.boots--;
    }
  }

  #refuse(
    key: string,
    { subhosterId, rpcRoot }: Origin,
    { code: problem, message, retryAfterMs }: OriginError,
  ): NotPrepared {
    const code = problem === "not_found" ? "DEPLOYMENT_NOT_FOUND" : "ORIGIN_UNAVAILABLE";
    // An origin that cannot be reached may be again at once; its own client knows when to leave it alone.
    if (problem !== "unavailable") {
      const { refusals } = this.#rememberedOf(subhosterId);
      refusals.set(key, { code, rpcRoot, until: this.#now() + REFUSAL_MS });
    }
    const retryAfterS = retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1000);
    return { code, retryAfterS, reason: message };
  }

  #rememberedOf(subhosterId: string): Remembered {
    let remembered = this.#remembered.get(subhosterId);
    if (remembered === undefined) this.#remembered.set(subhosterId, remembered = new Remembered());
    return remembered;
  }
}

const PREPARED: Promise<null> = Promise.resolve(null);
/** As the supervisor says it. */
const CLOSED: NotPrepared = { code: "ORIGIN_UNAVAILABLE" };
const OVERLOADED: NotPrepared = { code: "OVERLOADED", retryAfterS: REFUSED_RETRY_S };

function rememberedByKey<Value extends { rpcRoot: string }>(): RecentlyUsed<Value> {
  return new RecentlyUsed({ ...MAX_REMEMBERED, weigh: ({ rpcRoot }) => rpcRoot.length });
}

function withoutReason(result: NotPrepared | null): NotPrepared | null {
  return result && { code: result.code, retryAfterS: result.retryAfterS };
}
