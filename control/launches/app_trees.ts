import { join } from "node:path";
import { Turn } from "../scheduling/turn.ts";

/** Fewer files are linked one by one in the time that keeping them would save (measured: 2.5 ms for so many). */
const MIN_FILES = 500;
/** A rename takes as long as a link: with fewer files below each entry at the top there is nothing to be saved. */
const MIN_FILES_PER_MOVE = 4;
/** Those not used for longest go first. */
const MAX_KEPT_TREES = 200;
const MAX_KEPT_FILES = 200_000;
/** Directories of sandboxes that are remembered; files of one that is forgotten are not kept. */
const MAX_LAID_OUT = 10_000;

/** What {@linkcode AppTrees} works with. */
export interface AppTreesOptions {
  /**
   * Where trees are kept: on the file system of the sandboxes' directories, and removed with these when the server ends,
   * so that none outlives what this object knows about it.
   */
  dir: string;
  /** Whether the deployment may be started again. */
  isWanted(deploymentId: string): boolean;
}

interface Tree {
  dir: string;
  files: number;
}

/**
 * The files of large deployments, laid out once and then moved: from an isolate that has ended to where they are kept, and
 * from there to the next isolate. A sandbox sees its directory and cannot be given another, but renaming the few entries
 * at the top brings everything below them along.
 *
 * **Invariant:** a kept tree is whole. It leaves the record before its first entry is moved out, and enters after its last
 * one has been moved in; what is in between belongs to nobody and is removed.
 */
export class AppTrees {
  readonly #options: AppTreesOptions;
  /** By deployment; the one kept last is the last. */
  readonly #kept = new Map<string, Tree>();
  /** How many files are laid out in each sandbox's directory; nothing if that failed. */
  readonly #laidOut = new Map<string, Promise<number | undefined>>();
  #keptFiles = 0;
  #nextTree = 0;

  constructor(options: AppTreesOptions) {
    this.#options = options;
  }

  /**
   * Fills a sandbox's empty directory: with the deployment's tree if one is kept, else by `layOut`, which returns how many
   * files it made.
   */
  async populate(deploymentId: string, dir: string, layOut: (dir: string) => Promise<number>): Promise<void> {
    const laidOut = this.#fill(deploymentId, dir, layOut);
    if (this.#laidOut.size >= MAX_LAID_OUT) this.#laidOut.delete(this.#laidOut.keys().next().value!);
    this.#laidOut.set(dir, laidOut.catch(() => undefined));
    await laidOut;
  }

  /**
   * Takes the files of an isolate that has ended out of its directory, if they are worth keeping for the next one. What is
   * left there is to be removed.
   */
  async reclaim(deploymentId: string, dir: string): Promise<void> {
    const files = await this.#laidOut.get(dir); // The isolate may have ended while they were being laid out.
    this.#laidOut.delete(dir);
    if (files === undefined || files < MIN_FILES || files > MAX_KEPT_FILES) return;
    if (!this.#isMissing(deploymentId)) return;
    const names = await namesIn(dir);
    if (names.length * MIN_FILES_PER_MOVE > files) return;
    const tree = { dir: join(this.#options.dir, String(this.#nextTree++)), files };
    // A sandbox may be another user: it finds nothing here, whatever else it gets past.
    await Deno.mkdir(tree.dir, { recursive: true, mode: 0o700 });
    const whole = await moveEntries(names, dir, tree.dir).then(() => true, (error) => {
      console.error(`Cannot keep the files of "${deploymentId}":`, error);
      return false;
    });
    // Another isolate's may have been kept meanwhile.
    if (!whole || !this.#isMissing(deploymentId)) return await remove(tree.dir);
    this.#kept.set(deploymentId, tree);
    this.#keptFiles += files;
    await this.#evict();
  }

  /** Removes the trees of deployments that are no longer wanted. */
  async sweep(): Promise<void> {
    const unwanted = [...this.#kept.keys()].filter((deploymentId) => !this.#options.isWanted(deploymentId));
    for (const deploymentId of unwanted) await this.#drop(deploymentId);
  }

  async #fill(deploymentId: string, dir: string, layOut: (dir: string) => Promise<number>): Promise<number> {
    const tree = this.#take(deploymentId);
    if (tree === undefined) return await layOut(dir);
    try {
      await moveEntries(await namesIn(tree.dir), tree.dir, dir);
      return tree.files;
    } catch (error) {
      console.error(`Cannot move the files of "${deploymentId}" to "${dir}":`, error);
      for (const name of await namesIn(dir)) await remove(join(dir, name));
      return await layOut(dir);
    } finally {
      await remove(tree.dir);
    }
  }

  #isMissing(deploymentId: string): boolean {
    return !this.#kept.has(deploymentId) && this.#options.isWanted(deploymentId);
  }

  async #evict(): Promise<void> {
    while (this.#kept.size > MAX_KEPT_TREES || this.#keptFiles > MAX_KEPT_FILES) {
      await this.#drop(this.#kept.keys().next().value!);
    }
  }

  async #drop(deploymentId: string): Promise<void> {
    const tree = this.#take(deploymentId);
    if (tree !== undefined) await remove(tree.dir);
  }

  #take(deploymentId: string): Tree | undefined {
    const tree = this.#kept.get(deploymentId);
    if (tree === undefined) return undefined;
    this.#kept.delete(deploymentId);
    this.#keptFiles -= tree.files;
    return tree;
  }
}

/** Both directories are on one file system: moving a directory is one rename(2), however much is in it. */
async function moveEntries(names: readonly string[], from: string, to: string): Promise<void> {
  const turn = new Turn();
  for (const name of names) {
    Deno.renameSync(join(from, name), join(to, name));
    if (turn.isOver()) await turn.next();
  }
}

async function namesIn(dir: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name);
}

async function remove(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true });
}
