import { AppTrees } from "./app_trees.ts";
import { materialize } from "../build/materialize.ts";
import type { Image, Limits } from "../model.ts";
import type { Store } from "../store/mod.ts";
import type { Launch } from "../supervisor/supervisor.ts";
import { Turn } from "../scheduling/turn.ts";

/** What {@linkcode Launches} reads, and what this machine adds. */
export interface LaunchesOptions {
  store: Store;
  region: string;
  /** This machine's defaults. */
  limits: Limits;
  /** Whether each isolate has a process of its own. */
  isolation: "process" | "shared";
  /** Where files of large deployments wait for their next isolate: beside the sandboxes' directories, as short-lived. */
  treesDir: string;
}

/** How many are remembered; the others are read from the store when they are started. */
const MAX_REMEMBERED = 500;

interface Remembered {
  projectId: string;
  launch: Launch;
}

/** What it takes to start each deployment, read from the store. */
export class Launches {
  readonly #options: LaunchesOptions;
  readonly #remembered = new Map<string, Remembered>();
  /** Images of builds that have not ended. */
  readonly #trialImages = new Map<string, Image>();
  readonly #trees: AppTrees;

  constructor(options: LaunchesOptions) {
    this.#options = options;
    const { store, treesDir } = options;
    this.#trees = new AppTrees({
      dir: treesDir,
      isWanted: (deploymentId) => (store.deployments.get(deploymentId)?.status ?? "failed") !== "failed",
    });
    // A deployment never changes once it succeeded, but it can be deleted and its project renamed.
    store.onRoutesChanged((projectId) => {
      this.#forget(projectId);
      this.#trees.sweep().catch((error) =>
        console.error("Cannot remove files of deleted deployments:", error)
      );
    });
  }

  /**
   * @throws {Error} when there is no such deployment, it was not built, or it must not share a process
   */
  get(deploymentId: string): Launch {
    let remembered = this.#remembered.get(deploymentId);
    if (remembered === undefined) {
      remembered = this.#read(deploymentId);
      if (this.#remembered.size >= MAX_REMEMBERED) {
        this.#remembered.delete(this.#remembered.keys().next().value!);
      }
      this.#remembered.set(deploymentId, remembered);
    }
    return remembered.launch;
  }

  /** Starts a deployment whose build is not recorded yet, for as long as `use` takes. */
  async withImage<T>(deploymentId: string, image: Image, use: () => Promise<T>): Promise<T> {
    this.#trialImages.set(deploymentId, image);
    try {
      return await use();
    } finally {
      this.#trialImages.delete(deploymentId);
      this.#remembered.delete(deploymentId);
    }
  }

  #forget(projectId: string): void {
    for (const [deploymentId, remembered] of this.#remembered) {
      if (remembered.projectId === projectId) this.#remembered.delete(deploymentId);
    }
  }

  #read(deploymentId: string): Remembered {
    const { store, region, limits, isolation } = this.#options;
    const record = store.deployments.get(deploymentId);
    if (!record) throw notBuilt(deploymentId);
    const project = store.projects.get(record.projectId);
    if (project?.untrusted && isolation === "shared") throw untrusted(deploymentId);
    const image = this.#trialImages.get(deploymentId) ?? store.deployments.entry(deploymentId);
    if (!image) throw notBuilt(deploymentId);
    const launch: Launch = {
      image: { entry: image.entry, config: image.config },
      // Read when they are needed: a manifest may be large, and what is remembered are many.
      populate: (dir) => this.#trees.populate(deploymentId, dir, (into) => this.#layOut(deploymentId, into)),
      reclaim: (dir) => this.#trees.reclaim(deploymentId, dir),
      env: {
        ...record.projectEnv,
        ...record.env,
        DENO_DEPLOYMENT_ID: record.id,
        DENO_REGION: region,
        ISOLA_PROJECT: project?.name ?? "",
      },
      net: record.net,
      limits: { ...limits, ...record.limits },
    };
    return { projectId: record.projectId, launch };
  }

  /** Returns the number of files. */
  async #layOut(deploymentId: string, dir: string): Promise<number> {
    const turn = new Turn();
    const snapshot = this.#options.store.deployments.snapshot(deploymentId);
    const image = this.#trialImages.get(deploymentId) ?? snapshot?.image;
    if (!snapshot || !image) throw notBuilt(deploymentId);
    const files = Object.assign(snapshot.files, image.files);
    if (turn.isOver()) await turn.next();
    await materialize(files, dir, (sha256) => this.#options.store.blobs.path(sha256));
    return Object.keys(files).length;
  }
}

function untrusted(deploymentId: string): Error {
  return new Error(
    `Cannot start deployment "${deploymentId}": its project is untrusted, and isolates of this server share a process ` +
      "(ISOLA_ISOLATION=shared)",
  );
}

function notBuilt(deploymentId: string): Error {
  return new Error(`Cannot start deployment "${deploymentId}": it is not built`);
}
