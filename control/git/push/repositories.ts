import { join } from "node:path";
import type { CommitLocation } from "../commit_objects.ts";
import type { ConfinedGit, GitRun } from "../confined_git.ts";
import { GitError, type GitProcess } from "../git_process.ts";
import { folderSize } from "../../files/folder_size.ts";
import { Places } from "./places.ts";
import { removeLeftovers } from "./remove_leftovers.ts";

/** Of one project, with all its history. */
const MAX_REPOSITORY_BYTES = 2 ** 30;
/** At once, in all repositories; so many more wait. */
const MAX_CHANGING = 8;
const MAX_READING = 16;
const MAX_WAITING = 100;
/** Of that, what one organization may have: who sends or reads slowly is not to keep all others waiting. */
const SHARE_OF_ORGANIZATION = 0.5;
/** For the same repository. */
const MAX_WAITING_FOR_ONE = 10;
const READ_TIMEOUT_MS = 30_000;
const WRITE_TIMEOUT_MS = 5 * 60_000;
/** Objects and packs from which on they are packed anew. */
const GC_CONFIG = { "gc.auto": "2000", "gc.autoPackLimit": "20", "gc.autoDetach": "false" };

/** What {@linkcode Repositories} works with. */
export interface RepositoriesOptions {
  /** Each repository is a directory here, called by the id of its project. */
  dir: string;
  git: ConfinedGit;
  /** The organization of a project; nothing if the project is not there any more. */
  organizationOf(projectId: string): string | undefined;
  /** @default {1073741824} */
  maxRepositoryBytes?: number;
}

/** The bare repositories that projects are pushed to. One is changed by one push at a time. */
export class Repositories implements AsyncDisposable {
  readonly #options: RepositoriesOptions;
  /** Who may change a repository, by project. */
  readonly #turns = new Map<string, Places>();
  readonly #following = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #changing = new Places(MAX_CHANGING, MAX_WAITING, SHARE_OF_ORGANIZATION);
  readonly #reading = new Places(MAX_READING, MAX_WAITING, SHARE_OF_ORGANIZATION);

  constructor(options: RepositoriesOptions) {
    this.#options = options;
  }

  /** Where the repository of a project is, or would be. */
  path(projectId: string): string {
    return join(this.#options.dir, projectId);
  }

  /** Whether anything was pushed to a project. */
  async has(projectId: string): Promise<boolean> {
    return await Deno.stat(join(this.path(projectId), "HEAD")).then(({ isFile }) => isFile, () => false);
  }

  /** Where commits of a project are. */
  location(projectId: string): CommitLocation {
    return { git: this.#options.git, gitDir: this.path(projectId), signal: this.#closing.signal };
  }

  /** The path of a repository where git runs. */
  pathInside(projectId: string): string {
    return this.#options.git.inside(this.path(projectId));
  }

  /** What git says in a repository where it has nothing to change, when it is its turn. It ends with whoever reads that. */
  async *read(
    projectId: string,
    run: Omit<GitRun, "gitDir" | "signal" | "writable">,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    using _place = await this.#reading.take(this.#options.organizationOf(projectId));
    await using git = this.start(projectId, run);
    yield* git.stdout;
  }

  /** Starts git in a repository. */
  start(projectId: string, run: Omit<GitRun, "gitDir" | "signal">): GitProcess {
    const { git, ...place } = this.location(projectId);
    return git.start({ ...run, ...place });
  }

  /**
   * Runs git in a repository to its end, which has nothing to change there.
   *
   * @param maxBytes Of its output.
   */
  output(projectId: string, args: readonly string[], maxBytes: number): Promise<string> {
    const { git, ...place } = this.location(projectId);
    return git.output({ args, ...place, timeoutMs: READ_TIMEOUT_MS }, maxBytes);
  }

  /** Runs git in a repository to its end. Only while nobody else changes it. */
  async write(projectId: string, args: readonly string[]): Promise<void> {
    const run = { args, writable: true, config: GC_CONFIG, timeoutMs: WRITE_TIMEOUT_MS };
    await using process = this.start(projectId, run);
    await process.stdout.cancel();
    await process.success();
  }

  /**
   * Does something to a repository, which is made if there is none, while nobody else changes it.
   *
   * @throws {ApiError} `overloaded`: too many wait.
   */
  async change<T>(projectId: string, work: () => Promise<T>): Promise<T> {
    const turns = this.#turns.get(projectId) ?? new Places(1, MAX_WAITING_FOR_ONE);
    this.#turns.set(projectId, turns);
    const changed = this.#changeInTurn(projectId, turns, work);
    this.attend(changed.then(() => {}, () => {}));
    try {
      return await changed;
    } finally {
      if (turns.isIdle) this.#turns.delete(projectId);
    }
  }

  /** How many bytes a repository can take yet; what nobody needs any more is removed if it has to be. */
  async room(projectId: string): Promise<number> {
    const dir = this.path(projectId);
    const max = this.#options.maxRepositoryBytes ?? MAX_REPOSITORY_BYTES;
    const room = async () =>
      Math.max(0, max - (await folderSize(dir, { bytes: max, files: Infinity })).bytes);
    const found = await room();
    if (found > max / 2) return found;
    await this.#collect(projectId, ["--prune=now"]);
    return await room();
  }

  /** Packs a repository anew if it has grown untidy. */
  async tidy(projectId: string): Promise<void> {
    if (this.#closing.signal.aborted || !await this.has(projectId)) return;
    await this.change(projectId, () => this.#collect(projectId, ["--auto"]));
  }

  /** Removes the repositories of projects that are gone. The others are git's, also those that a restore has made. */
  async sweep(): Promise<void> {
    const names: string[] = [];
    try {
      for await (const { name } of Deno.readDir(this.#options.dir)) names.push(name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    for (const name of names) {
      if (this.#turns.has(name)) continue;
      const path = join(this.#options.dir, name);
      if (this.#options.organizationOf(name) !== undefined) await this.#options.git.adopt(path);
      else await Deno.remove(path, { recursive: true });
    }
  }

  /** Has what follows a push end before this does. */
  attend(following: Promise<void>): void {
    this.#following.add(following);
    following.finally(() => this.#following.delete(following));
  }

  /** Ends what is going on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#following);
  }

  async #changeInTurn<T>(projectId: string, turns: Places, work: () => Promise<T>): Promise<T> {
    using _turn = await turns.take();
    using _place = await this.#changing.take(this.#options.organizationOf(projectId));
    this.#closing.signal.throwIfAborted();
    await this.#prepare(projectId);
    return await work();
  }

  async #prepare(projectId: string): Promise<void> {
    const dir = this.path(projectId);
    if (!await this.has(projectId)) {
      await Deno.mkdir(this.#options.dir, { recursive: true, mode: 0o700 });
      await this.#options.git.initialize(dir);
    }
    await removeLeftovers(dir);
  }

  /** One that is too large to be packed anew stays as it is. */
  async #collect(projectId: string, options: readonly string[]): Promise<void> {
    try {
      await this.write(projectId, ["gc", "--quiet", ...options]);
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      console.error(`Cannot pack the repository of project "${projectId}" anew: ${error.message}`);
    }
  }
}
