import { createHash } from "node:crypto";
import { join } from "node:path";
import { ParallelWork } from "../../scheduling/parallel_work.ts";
import { removeIfThere } from "../../files/remove_if_there.ts";
import type { SecretBox } from "../../secrets/secret_box.ts";
import { type Database, openDatabase, StoreError } from "../../store/mod.ts";
import type { FileTree, IsolateConfig } from "../model.ts";
import { subhosterOf } from "../subhoster_of.ts";
import { contentDigest } from "./content_digest.ts";
import { KeptFolder } from "./kept_folder.ts";
import { KEPT_MIGRATIONS, type KeptBounds, KeptIndex, type KeptName } from "./kept_index.ts";
import { type KeptProgram, openProgram, sealProgram } from "./kept_program.ts";
import type { ProgramModules } from "./program_modules.ts";
import { RecentlyUsed } from "./recently_used.ts";
import { decodeTree, encodeTree } from "./tree_file.ts";

/** Options of {@linkcode ContentStore.open}. */
export interface ContentStoreOptions extends Partial<KeptBounds> {
  /** Its own; may be removed while no server runs. */
  dir: string;
  /** Seals what deployments are configured with. */
  box: SecretBox;
}

/** The index of a program's modules, among its files. */
export const INDEX_FILE = "index.json";

const DEFAULT_MAX_BYTES = 4 * 1024 ** 3;
const DEFAULT_MAX_ENTRIES = 100_000;
const MAX_REMEMBERED_PROGRAMS = 1_000;
const MAX_REMEMBERED_TREES = 100;
/** Of these trees together. */
const MAX_REMEMBERED_FILES = 50_000;
const MAX_WRITES_AT_ONCE = 8;
const REMOVED_AT_ONCE = 16;
const SOURCE_MODE = 0o444;

/**
 * What was fetched of deployments, by their keys: modules and configuration, the tree of files, contents of files. What is
 * damaged is as if it were not there. What was not used for longest goes first.
 */
export class ContentStore implements AsyncDisposable {
  readonly #folder: KeptFolder;
  readonly #box: SecretBox;
  readonly #database: Database;
  readonly #index: KeptIndex;
  /** Those whose files are whole; by names. */
  readonly #programs = new RecentlyUsed<KeptProgram>({
    maxEntries: MAX_REMEMBERED_PROGRAMS,
    // Of the greatest there may be 200 KB: names of 10,000 files, and 64 KiB of variables.
    maxWeight: 64 * 1024 ** 2,
    weigh: ({ files, env }) => JSON.stringify(env).length + 32 * files.length,
  });
  readonly #trees = new RecentlyUsed<FileTree>({
    maxEntries: MAX_REMEMBERED_TREES,
    maxWeight: MAX_REMEMBERED_FILES,
    weigh: ({ size }) => size,
  });
  #evicting: Promise<void> | null = null;
  readonly #sweeping: Promise<void>;

  private constructor(folder: KeptFolder, database: Database, options: ContentStoreOptions) {
    const { box, maxBytes = DEFAULT_MAX_BYTES, maxEntries = DEFAULT_MAX_ENTRIES } = options;
    this.#folder = folder;
    this.#box = box;
    this.#database = database;
    this.#index = new KeptIndex(database, { maxBytes, maxEntries });
    this.#sweeping = folder.sweep().catch((error) =>
      console.error("Cannot remove unfinished content:", error)
    );
  }

  /** Opens what is kept, and begins anew if that cannot be read. */
  static async open(options: ContentStoreOptions): Promise<ContentStore> {
    const { dir } = options;
    const folder = await KeptFolder.open(dir);
    const path = join(dir, "index.db");
    const open = () => openDatabase(path, { migrations: KEPT_MIGRATIONS, durability: "normal" });
    try {
      return new ContentStore(folder, open(), options);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      console.error(
        `Cannot read what is kept of subhosted deployments, so it is fetched anew: ${error.message}`,
      );
      await removeIfThere(dir);
      return new ContentStore(await KeptFolder.open(dir), open(), options);
    }
  }

  /** A deployment's program, if it is remembered. */
  remembered(key: string): KeptProgram | undefined {
    const name = nameOf(key);
    const program = this.#programs.get(name);
    if (program !== undefined) this.#index.use(name);
    return program;
  }

  /** A deployment's program, whose files are whole; nothing if there is none. */
  async load(key: string): Promise<KeptProgram | undefined> {
    const remembered = this.remembered(key);
    if (remembered !== undefined) return remembered;
    const name = nameOf(key);
    try {
      const program = openProgram(this.#box, key, await Deno.readTextFile(this.#programPath(name)));
      if (await contentDigest(this.#contents(name, program)) !== program.digest) throw new Error("damaged");
      this.#index.found(keptName(key), program.bytes);
      this.#index.use(name);
      this.#programs.set(name, program);
      return program;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      if (isOfSystem(error)) throw error;
      await this.#remove(name);
      return undefined;
    }
  }

  /**
   * As {@linkcode load}, at once; whether its files are whole is not looked at.
   *
   * @throws {Error} There is none.
   */
  read(key: string): KeptProgram {
    const remembered = this.remembered(key);
    if (remembered !== undefined) return remembered;
    try {
      return openProgram(this.#box, key, Deno.readTextFileSync(this.#programPath(nameOf(key))));
    } catch (cause) {
      throw new Error(`Cannot start deployment "${key}": nothing is kept of it`, { cause });
    }
  }

  /** Keeps a program. If there is one of that key already, that stays. */
  async add(
    key: string,
    { index, sources, entry, entryFile }: ProgramModules,
    { env, net }: Pick<IsolateConfig, "env" | "net">,
  ): Promise<void> {
    const name = nameOf(key);
    const contents = new Map(sources).set(INDEX_FILE, new TextEncoder().encode(JSON.stringify(index)));
    let bytes = 0;
    for (const content of contents.values()) bytes += content.length;
    const digest = await contentDigest(contents);
    const program = { entry, entryFile, env, net, files: [...contents.keys()], digest, bytes };
    const made = this.#folder.temporaryPath();
    try {
      await writeAll(contents, join(made, "modules"));
      await Deno.writeTextFile(join(made, "program"), sealProgram(this.#box, key, program), { mode: 0o600 });
      this.#index.grow(keptName(key), bytes);
      if (!await this.#folder.add(made, name)) {
        // Another server was faster; or there are files without a program, or damaged ones.
        if (await this.load(key) !== undefined) return;
        await this.#remove(name);
        this.#index.grow(keptName(key), bytes);
        if (!await this.#folder.add(made, name)) throw new Error(`Cannot keep "${key}": there is another`);
      }
      this.#programs.set(name, program);
    } finally {
      await removeIfThere(made);
    }
    this.#evict();
  }

  /** Its files are not where they should be: another server has removed them, or the operator. */
  forget(key: string): void {
    this.#programs.delete(nameOf(key));
  }

  /** A new name, on the same disk; what is left there is removed some time. */
  temporaryPath(): string {
    return this.#folder.temporaryPath();
  }

  /** Where one of a program's files is. */
  filePath(key: string, file: string): string {
    return this.#folder.path(nameOf(key), "modules", file);
  }

  /** A deployment's files, if they are remembered. */
  rememberedTree(key: string): FileTree | undefined {
    return this.#trees.get(nameOf(key));
  }

  /** A deployment's files, if they are kept. */
  async tree(key: string): Promise<FileTree | undefined> {
    const remembered = this.rememberedTree(key);
    if (remembered !== undefined) return remembered;
    const name = nameOf(key);
    try {
      const tree = await decodeTree(await Deno.readFile(this.#folder.path(name, "tree")));
      this.#trees.set(name, tree);
      return tree;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /** When they were kept, which is later for a later deployment; now, if they are not any more. */
  async treeTime(key: string): Promise<Date> {
    const found = await Deno.stat(this.#folder.path(nameOf(key), "tree")).catch(() => null);
    return found?.mtime ?? new Date();
  }

  /** Keeps what files a deployment has. */
  async addTree(key: string, tree: FileTree): Promise<void> {
    const bytes = await encodeTree(tree);
    const write = (made: string) => Deno.writeFile(made, bytes);
    await this.#addFile({ key, path: ["tree"], size: bytes.length }, write);
    this.#trees.set(nameOf(key), tree);
  }

  /** Where the content of one of a deployment's files is, if it is kept. */
  async blob(key: string, { hash, size }: { hash: string; size: number }): Promise<string | undefined> {
    const path = this.#folder.path(nameOf(key), "blobs", sha256(hash));
    const found = await Deno.stat(path).catch((error: unknown) => {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    });
    return found?.size === size ? path : undefined;
  }

  /**
   * Keeps the content of a file.
   *
   * @param fetch Writes it to a new file.
   * @returns where it is
   */
  async addBlob(
    key: string,
    { hash, size }: { hash: string; size: number },
    fetch: (path: string) => Promise<void>,
  ): Promise<string> {
    const path = ["blobs", sha256(hash)];
    await this.#addFile({ key, path, size }, fetch);
    return this.#folder.path(nameOf(key), ...path);
  }

  /** Keeps what was made of one of a program's files. */
  async addCompiled(key: string, file: string, bytes: Uint8Array): Promise<void> {
    await Deno.stat(this.filePath(key, file)); // It may have gone meanwhile.
    const path = ["modules", `${file}.compiled`];
    await this.#addFile({ key, path, size: bytes.length }, (made) => Deno.writeFile(made, bytes));
  }

  /** How much is kept of one subhoster. */
  totals(subhosterId: string): { entries: number; bytes: number } {
    return this.#index.totals(subhosterId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sweeping;
    await this.#evicting;
    this.#index[Symbol.dispose]();
    this.#database.close();
  }

  #programPath(name: string): string {
    return this.#folder.path(name, "program");
  }

  async #addFile(
    { key, path, size }: { key: string; path: string[]; size: number },
    write: (path: string) => Promise<void>,
  ): Promise<void> {
    const kept = keptName(key);
    const made = this.#folder.temporaryPath();
    try {
      await write(made);
      this.#index.grow(kept, size);
      await this.#folder.addFile(made, kept.name, ...path);
    } finally {
      await removeIfThere(made);
    }
    this.#evict();
  }

  async *#contents(name: string, { files }: KeptProgram): AsyncGenerator<[string, Uint8Array]> {
    for (const file of files) yield [file, await this.#content(name, file)];
  }

  async #content(name: string, file: string): Promise<Uint8Array> {
    try {
      return await Deno.readFile(this.#folder.path(name, "modules", file));
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) throw new Error(`Cannot read "${file}": gone`, { cause });
      throw cause;
    }
  }

  #evict(): void {
    this.#evicting ??= this.#removeSurplus()
      .catch((error) => console.error("Cannot remove what is kept of subhosted deployments:", error))
      .finally(() => this.#evicting = null);
  }

  async #removeSurplus(): Promise<void> {
    for (let names; (names = this.#index.surplus(REMOVED_AT_ONCE)).length > 0;) {
      for (const name of names) await this.#remove(name);
    }
  }

  /** Programs that run have files of their own, or hard links. */
  async #remove(name: string): Promise<void> {
    this.#programs.delete(name);
    this.#trees.delete(name);
    await this.#folder.remove(name);
    this.#index.remove(name);
  }
}

async function writeAll(contents: Map<string, Uint8Array>, dir: string): Promise<void> {
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  await using writes = new ParallelWork(MAX_WRITES_AT_ONCE);
  for (const [name, content] of contents) {
    await writes.add(async () => {
      await Deno.writeFile(join(dir, name), content);
      await Deno.chmod(join(dir, name), SOURCE_MODE); // Whatever the umask is.
    });
  }
  await writes.finish();
}

/** No name tells of whom it is, and none leads elsewhere. */
function nameOf(key: string): string {
  return sha256(key);
}

function keptName(key: string): KeptName {
  return { name: nameOf(key), owner: subhosterOf(key) ?? "" };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Errors of the system have a code (errno(3)); it may be a moment in which no file can be opened. */
function isOfSystem(error: unknown): boolean {
  return (error as { code?: unknown }).code !== undefined;
}
