import { totalmem } from "node:os";
import { join } from "node:path";
import { DENIED_NETWORKS, v8Flags } from "../../isolate/mod.ts";
import {
  type BuildLog,
  DEFAULT_LIMITS,
  type Image,
  type Manifest,
  MAX_FILES,
  type SourceOptions,
} from "../model.ts";
import { unprivilegedUser } from "../process/unprivileged_user.ts";
import { BuildError } from "./build_error.ts";
import { type BuildPlace, openBuildPlace } from "./build_place.ts";
import { type Builder, startBuilder } from "./builder_process.ts";
import { isManifestPath } from "./manifest_path.ts";
import { operatorFiles } from "./operator_files.ts";
import { storeBuiltFiles, storeImage } from "./store_image.ts";
import type { BuildBounds } from "./build_watch.ts";
import type { BuildRequest } from "./protocol.ts";

/** What a build reads and writes: the rest of the control plane, as far as builds know it. */
export interface BuildStore {
  /** Whose a deployment is: the places are shared among these. */
  owner(deploymentId: string): string;
  /** The snapshot to build; nothing if it was deleted. */
  source(deploymentId: string): BuildSource | null | undefined;
  /** Lays the files out in an empty directory as copies that may be changed. */
  materialize(files: Manifest, dir: string): Promise<void>;
  /** Stores the content of a file. */
  putFile(path: string): Promise<{ sha256: string; size: number }>;
  log(deploymentId: string, line: BuildLog): void;
  /** Starts the deployment once, as its visitors will. Rejects with a text for the build log. */
  boot(deploymentId: string, image: Image): Promise<void>;
  finish(deploymentId: string, result: BuildResult): Promise<void> | void;
}

/** A snapshot and how it is read. */
export interface BuildSource {
  files: Manifest;
  source: SourceOptions;
  /** What an earlier build made of the same files: only started once. */
  image?: Image;
  /** The environment of its build command. */
  variables?: Record<string, string>;
}

/** How a build ended. */
export type BuildResult = { status: "success"; image: Image } | { status: "failed" };

/** Where and with what builds run. */
export interface BuildsOptions {
  /** Builds run below `build/`, where what they download is kept. */
  dataDir: string;
  store: BuildStore;
  /** The server's environment, of which builds get what names registries, proxies and certificates. */
  env: Readonly<Record<string, string>>;
  /**
   * Of most isolates, for which programs are compiled.
   *
   * @default {512}
   */
  memoryMb?: number;
  /**
   * How long one build may take.
   *
   * @default {120000}
   */
  timeoutMs?: number;
}

/** The builds of this machine. */
export interface Builds extends AsyncDisposable {
  /**
   * Takes a pending deployment in for its build.
   *
   * @throws {Error} too many wait
   */
  submit(deploymentId: string): void;
  /** Ends a build that waits or runs, if there is one; it is not finished then. */
  cancel(deploymentId: string): void;
}

const MAX_RUNNING = 2;
const MAX_WAITING = 1000;
const MAX_WAITING_OF_ONE = 500;
const DEFAULT_TIMEOUT_MS = 120_000;
const MAX_HEAP_MB = 1024;
/** Of one build's processes together; two run at once, and isolates need the rest. */
const MAX_MEMORY_BYTES = Math.min(2 * 1024 ** 3, Math.max(512 * 1024 ** 2, totalmem() / 4));
/** A build has five. */
const MAX_PROCESSES = 16;
const MAX_COMMAND_PROCESSES = 64;
const COMMAND_TIMEOUT_MS = 5 * 60_000;
/** Above the users that distributions and container engines give out, below those of sandboxes. */
const COMMAND_UID = 1_899_999_998;
const MIN_FREE_DISK_BYTES = 256 * 1024 ** 2;
const CONFIG_NAMES: ReadonlySet<string> = new Set([
  "deno.json",
  "deno.jsonc",
  "package.json",
  "tsconfig.json",
]);

/** Removes what earlier builds left, and keeps a builder process started for the next one. */
export async function createBuilds(options: BuildsOptions): Promise<Builds> {
  const dir = join(options.dataDir, "build");
  const names = Array.from({ length: MAX_RUNNING }, (_, index) => String(index));
  return new BuildQueue(options, {
    places: await Promise.all(names.map((name) => openBuildPlace(join(dir, name)))),
    operatorFiles: await operatorFiles(options.env),
  });
}

interface Premises {
  /** As many as builds run at once. */
  places: BuildPlace[];
  operatorFiles: string[];
}

interface Running {
  owner: string;
  cancel: AbortController;
  done: Promise<void>;
}

class BuildQueue implements Builds {
  readonly #options: BuildsOptions;
  readonly #operatorFiles: string[];
  /** Places where no build is; the one used last is the last, because it has the most packages. */
  readonly #free: BuildPlace[];
  /** Owners by deployment, in the order of arrival. */
  readonly #waiting = new Map<string, string>();
  readonly #running = new Map<string, Running>();
  #next: Builder | undefined;
  #closed = false;

  constructor(options: BuildsOptions, { places, operatorFiles }: Premises) {
    this.#options = options;
    this.#free = places;
    this.#operatorFiles = operatorFiles;
    this.#next = this.#start();
  }

  submit(deploymentId: string): void {
    if (this.#closed) throw new Error(`Cannot build "${deploymentId}": the server is ending`);
    if (this.#waiting.size >= MAX_WAITING) {
      throw new Error(`Cannot build "${deploymentId}": ${MAX_WAITING} builds are waiting`);
    }
    const owner = this.#options.store.owner(deploymentId);
    if (this.#waiting.values().filter((other) => other === owner).toArray().length >= MAX_WAITING_OF_ONE) {
      throw new Error(
        `Cannot build "${deploymentId}": ${MAX_WAITING_OF_ONE} builds of its organization are waiting`,
      );
    }
    this.#waiting.set(deploymentId, owner);
    this.#advance();
  }

  cancel(deploymentId: string): void {
    this.#waiting.delete(deploymentId);
    this.#running.get(deploymentId)?.cancel.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    for (const { cancel } of this.#running.values()) cancel.abort();
    await Promise.all(this.#running.values().map(({ done }) => done));
    await this.#next?.[Symbol.asyncDispose]();
    this.#next = undefined;
  }

  #advance(): void {
    for (let next; this.#free.length > 0 && (next = this.#nextWaiting()) !== undefined;) {
      const [deploymentId, owner] = next;
      this.#waiting.delete(deploymentId);
      const place = this.#free.pop()!;
      const cancel = new AbortController();
      const done = this.#build(deploymentId, place, cancel.signal)
        .catch((error) => console.error(`Cannot record the build of "${deploymentId}":`, error))
        .then(() => this.#leave(place))
        .catch((error) => console.error(`Cannot clear "${place.dir}" after a build:`, error))
        .finally(() => {
          this.#running.delete(deploymentId);
          this.#free.push(place);
          this.#advance();
        });
      this.#running.set(deploymentId, { owner, cancel, done });
    }
  }

  /** The one that came first of those whose owner has none running; else the one that came first. */
  #nextWaiting(): [deploymentId: string, owner: string] | undefined {
    const busy = new Set(this.#running.values().map(({ owner }) => owner));
    const ready = this.#waiting.entries().filter(([deploymentId]) => !this.#running.has(deploymentId))
      .toArray();
    return ready.find(([, owner]) => !busy.has(owner)) ?? ready[0];
  }

  async #leave(place: BuildPlace): Promise<void> {
    // Not before: it would take its start's time from the build.
    if (!this.#closed) this.#next ??= this.#start();
    await place.clear();
    if (!this.#closed) await place.boundCache();
  }

  async #build(deploymentId: string, place: BuildPlace, signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    try {
      const image = await this.#makeImage(deploymentId, place, signal);
      if (!image || signal.aborted) return;
      await store.finish(deploymentId, { status: "success", image });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof BuildError)) console.error(`Cannot build "${deploymentId}":`, error);
      const message = error instanceof BuildError ? error.message : "Cannot build: the builder failed";
      store.log(deploymentId, { level: "error", message });
      await store.finish(deploymentId, { status: "failed" });
    }
  }

  /** Nothing if the deployment is gone. */
  async #makeImage(
    deploymentId: string,
    place: BuildPlace,
    signal: AbortSignal,
  ): Promise<Image | undefined> {
    const { store, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const snapshot = store.source(deploymentId);
    if (!snapshot) return undefined;
    if (snapshot.image !== undefined) {
      store.log(deploymentId, { level: "info", message: "Not built again: it was, from the same files" });
      await booted(store.boot(deploymentId, snapshot.image));
      return snapshot.image;
    }
    const onLog = (line: BuildLog) => store.log(deploymentId, line);
    const { entrypoint } = snapshot.source;
    if (!isManifestPath(entrypoint)) {
      throw new BuildError(`Cannot load the entry point "${entrypoint}": not a path of the deployment`);
    }
    const source = { ...snapshot, files: withoutNpmrc(snapshot.files, onLog) };
    const written = await this.#runCommand(source, { deploymentId, place, onLog, signal });
    const files = { ...source.files, ...written };
    const dir = await place.enter(deploymentId);
    await laidOut(store.materialize(files, dir));
    const options = { onLog, timeoutMs, bounds: boundsOf(dir, MAX_PROCESSES), signal };
    const built = await this.#take().run(this.#request(dir, place, { ...source, files }), options);
    const image = await storeImage(built, dir, store);
    image.files = { ...written, ...image.files };
    await booted(store.boot(deploymentId, image));
    return image;
  }

  /** Runs the deployment's build command, if it has one, and stores what that writes. */
  async #runCommand(
    snapshot: BuildSource,
    { deploymentId, place, onLog, signal }: CommandRun,
  ): Promise<Manifest> {
    const { files, source: { buildCommand: text }, variables = {} } = snapshot;
    if (text === undefined) return {};
    const { store } = this.#options;
    const dir = await place.enter(`${deploymentId}.command`);
    await laidOut(store.materialize(files, dir));
    const command = { text, variables, hashes: hashesOf(files), user: await unprivilegedUser(COMMAND_UID) };
    const request = { ...this.#request(dir, place, snapshot), command };
    const bounds = boundsOf(dir, MAX_COMMAND_PROCESSES);
    const built = await this.#take().runCommand(request, {
      onLog,
      timeoutMs: COMMAND_TIMEOUT_MS,
      bounds,
      signal,
    });
    const written = await storeBuiltFiles(built, dir, store);
    const count = Object.keys({ ...files, ...written }).length;
    if (count > MAX_FILES) {
      throw new BuildError(
        `Cannot build: "${text}" makes it ${count} files, a deployment has ${MAX_FILES} at most`,
      );
    }
    return written;
  }

  #request(dir: string, place: BuildPlace, { files, source }: BuildSource): BuildRequest {
    const names = Object.keys(files);
    const isConfig = (path: string) =>
      CONFIG_NAMES.has(path.slice(path.lastIndexOf("/") + 1)) && !/(?:^|\/)node_modules\//.test(path);
    return {
      dir,
      source,
      configs: names.filter(isConfig),
      hasNodeModules: names.some((path) => path.startsWith("node_modules/")),
      placeDir: place.dir,
      cacheDir: place.cacheDir,
      operatorFiles: this.#operatorFiles,
      v8Flags: v8Flags(this.#options.memoryMb ?? DEFAULT_LIMITS.memoryMb),
      deniedNetworks: DENIED_NETWORKS,
    };
  }

  /** The builder that is ready, if another build has not just taken it. */
  #take(): Builder {
    const ready = this.#next;
    this.#next = undefined;
    return ready?.isAlive ? ready : this.#start();
  }

  #start(): Builder {
    return startBuilder({ env: this.#options.env, maxHeapMb: MAX_HEAP_MB });
  }
}

interface CommandRun {
  deploymentId: string;
  place: BuildPlace;
  onLog(line: BuildLog): void;
  signal: AbortSignal;
}

function boundsOf(dir: string, processes: number): BuildBounds {
  return { dir, processes, memoryBytes: MAX_MEMORY_BYTES, freeDiskBytes: MIN_FREE_DISK_BYTES };
}

function hashesOf(files: Manifest): Record<string, string> {
  return Object.fromEntries(
    Object.entries(files).flatMap(([path, entry]) => entry.kind === "file" ? [[path, entry.sha256]] : []),
  );
}

/** Packages come from where the operator says, and nobody else's registry is given the operator's tokens. */
function withoutNpmrc(files: Manifest, onLog: (line: BuildLog) => void): Manifest {
  const isNpmrc = (path: string) => path === ".npmrc" || path.endsWith("/.npmrc");
  const ignored = Object.keys(files).find(isNpmrc);
  if (ignored === undefined) return files;
  onLog({ level: "warning", message: `Ignoring "${ignored}": packages come from the server's own registry` });
  return Object.fromEntries(Object.entries(files).filter(([path]) => !isNpmrc(path)));
}

async function laidOut(materialized: Promise<void>): Promise<void> {
  try {
    await materialized;
  } catch (error) {
    if (error instanceof TypeError) throw new BuildError(error.message, { cause: error });
    throw error;
  }
}

async function booted(boot: Promise<void>): Promise<void> {
  try {
    await boot;
  } catch (error) {
    throw new BuildError((error as Error).message, { cause: error });
  }
}
