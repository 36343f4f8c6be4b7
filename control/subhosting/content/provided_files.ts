import { join } from "node:path";
import type { ProvidedFiles } from "../../../isolate/mod.ts";
import { Turn } from "../../scheduling/turn.ts";
import type { FileTree, Origin } from "../model.ts";
import type { OriginClient } from "../origin/origin_client.ts";
import { OriginError, type OriginErrorCode } from "../origin/origin_error.ts";
import { subhosterOf } from "../subhoster_of.ts";
import type { ContentStore } from "./content_store.ts";
import { resolveFile } from "./file_paths.ts";
import { placeFile } from "./place_file.ts";
import { SingleFlight } from "./single_flight.ts";
import { Slots } from "./slots.ts";

/** Where a program's files are in its directory. */
const FOLDER = "files";
/** Of one isolate: contents that are fetched at once. */
const MAX_CONTENTS_AT_ONCE = 8;
/** Isolates at once; one that is forgotten gets no more files. */
const MAX_LAYOUTS = 10_000;
const DEFAULT_MAX_USED_BYTES = 8 * 1024 ** 3;
const FOLDER_MODE = 0o755;
const FILE_MODE = 0o444;
/** No program can open a file whose content is not there yet. */
const PLACEHOLDER_MODE = 0o000;

const PROBLEMS: Record<OriginErrorCode, string> = {
  not_found: "its origin does not have it",
  unavailable: "its origin cannot be reached",
  invalid: "its origin does not give it",
};

/** Whose files they are, and where what is not kept of them comes from. */
export interface FilesOwner {
  key: string;
  /** The subhoster's name of it. */
  deploymentId: string;
  origin(): Origin;
}

/** The files of one isolate. */
interface Layout {
  /** Settles when folders and placeholders are there. */
  ready?: Promise<void>;
  /** When its files were changed, as programs see it: not when this isolate got them, because `ETag`s are made of it. */
  changedAt: Date;
  /** While files are being made. */
  making?: Promise<void>;
  ended: boolean;
  /** What goes wrong is reported once: a program may ask for as long as it likes. */
  hasFailed: boolean;
  slots: Slots;
  /** Of its subhoster's share. */
  usedBytes: number;
  share?: Share;
}

/** What {@linkcode FileProvider} works with. */
export interface FileProviderOptions {
  store: ContentStore;
  client: Pick<OriginClient, "readTree" | "readBlob">;
  /** Ends what is being fetched. */
  signal: AbortSignal;
  /** Told once for each program, in words for its subhoster. */
  failed(owner: FilesOwner, reason: string): void;
  /**
   * Of contents that isolates of one subhoster have: they are on disk for as long, also when they are not kept any more.
   *
   * @default {8 GiB}
   */
  maxUsedBytes?: number;
}

/** What isolates of one subhoster share. */
interface Share {
  /** To read a large tree takes the server's thread 20 ms, and programs may ask for ever more of them. */
  readonly reader: Slots;
  usedBytes: number;
}

/** There is no room for one more content. */
class NoRoomError extends Error {
  override name = "NoRoomError";
}

/** Gives isolates the files of their deployments: the names of all when it looks at the first one, contents as it asks. */
export class FileProvider {
  readonly #options: FileProviderOptions;
  /** By directory; from an isolate's start to its end. */
  readonly #layouts = new Map<string, Layout>();
  readonly #trees = new SingleFlight<FileTree>();
  /** By subhoster. */
  readonly #shares = new Map<string, Share>();
  readonly #blobs = new SingleFlight<string>();

  constructor(options: FileProviderOptions) {
    this.#options = options;
  }

  /** Makes the folder in a directory in which a program is about to start. */
  begin(dir: string): void {
    Deno.mkdirSync(join(dir, FOLDER));
    Deno.chmodSync(join(dir, FOLDER), FOLDER_MODE); // Whatever the server's umask is.
    if (this.#layouts.size >= MAX_LAYOUTS) void this.end(this.#layouts.keys().next().value!);
    this.#layouts.set(dir, {
      changedAt: new Date(0),
      ended: false,
      hasFailed: false,
      slots: new Slots(MAX_CONTENTS_AT_ONCE),
      usedBytes: 0,
    });
  }

  /** What a program is given that {@linkcode begin} has been called for. */
  filesOf(owner: FilesOwner): ProvidedFiles {
    return { folder: FOLDER, provide: (dir, path, content) => this.#provide(owner, { dir, path, content }) };
  }

  /** The program has ended; nothing is put there any more when this resolves. */
  async end(dir: string): Promise<void> {
    const layout = this.#layouts.get(dir);
    if (layout === undefined) return;
    layout.ended = true;
    if (layout.share !== undefined) layout.share.usedBytes -= layout.usedBytes;
    this.#layouts.delete(dir);
    await layout.making?.catch(() => {});
  }

  /** Waits for what is under way. */
  async settled(): Promise<void> {
    await this.#trees.settled();
    await this.#blobs.settled();
  }

  async #provide(
    owner: FilesOwner,
    { dir, path, content }: { dir: string; path: string; content: boolean },
  ): Promise<void> {
    const layout = this.#layouts.get(dir);
    if (layout === undefined) throw new Error(`Cannot read "${path}": the program has ended`);
    try {
      await (layout.ready ??= this.#layOut(owner, join(dir, FOLDER), layout));
      if (content) await layout.slots.run(() => this.#place(owner, { dir, path, layout }));
    } catch (error) {
      if (error instanceof NoRoomError) throw new Error(`Cannot read "${path}": ${error.message}`);
      this.#report(owner, layout, error);
      // What exactly is wrong with an origin is for its subhoster, not for the subhoster's customers.
      const problem = error instanceof OriginError ? PROBLEMS[error.code] : "the server has failed";
      throw new Error(`Cannot read "${path}": ${problem}`);
    }
  }

  #report(owner: FilesOwner, layout: Layout, error: unknown) {
    if (layout.ended || layout.hasFailed || this.#options.signal.aborted) return;
    layout.hasFailed = true;
    if (error instanceof OriginError) this.#options.failed(owner, error.message);
    else console.error(`Cannot provide files of "${owner.key}":`, error);
  }

  async #layOut(owner: FilesOwner, folder: string, layout: Layout): Promise<void> {
    const tree = await this.#tree(owner).catch((error) => {
      layout.ready = undefined; // Next time it may be there.
      throw error;
    });
    layout.changedAt = await this.#options.store.treeTime(owner.key);
    if (layout.ended) return;
    layout.making = makeAll(tree, folder, layout);
    await layout.making;
  }

  async #place(
    owner: FilesOwner,
    { dir, path, layout }: { dir: string; path: string; layout: Layout },
  ): Promise<void> {
    const found = resolveFile(await this.#tree(owner), path);
    if (found?.entry.kind !== "file" || layout.ended) return;
    const to = join(dir, FOLDER, found.path);
    if (isInPlace(to)) return;
    const from = await this.#blob(owner, found.entry);
    if (layout.ended) return;
    this.#use(found.entry.size, layout, owner);
    const temporary = join(dir, `.${crypto.randomUUID()}`);
    await placeFile(from, temporary);
    Deno.utimeSync(temporary, layout.changedAt, layout.changedAt);
    // rename(2) does nothing where both are the same file already.
    if (isInPlace(to)) Deno.removeSync(temporary);
    else Deno.renameSync(temporary, to);
  }

  async #tree(owner: FilesOwner): Promise<FileTree> {
    const { key, deploymentId } = owner;
    const { store, client, signal } = this.#options;
    const remembered = store.rememberedTree(key);
    if (remembered !== undefined) return remembered;
    return await this.#trees.run(key, async () => {
      const kept = await this.#share(owner).reader.run(() => store.tree(key));
      if (kept !== undefined) return kept;
      const tree = await client.readTree(owner.origin(), deploymentId, signal).catch((error: unknown) => {
        if (error instanceof OriginError && error.code === "not_found") return NO_FILES;
        throw error;
      });
      await store.addTree(key, tree);
      return tree;
    });
  }

  #use(bytes: number, layout: Layout, owner: FilesOwner) {
    const { maxUsedBytes = DEFAULT_MAX_USED_BYTES } = this.#options;
    const share = layout.share ??= this.#share(owner);
    if (share.usedBytes + bytes > maxUsedBytes) {
      throw new NoRoomError("other deployments have too many files in use");
    }
    share.usedBytes += bytes;
    layout.usedBytes += bytes;
  }

  #share({ key }: FilesOwner): Share {
    const subhosterId = subhosterOf(key) ?? "";
    const share = this.#shares.get(subhosterId) ?? { reader: new Slots(1), usedBytes: 0 };
    this.#shares.set(subhosterId, share);
    return share;
  }

  async #blob(owner: FilesOwner, { hash, size }: { hash: string; size: number }): Promise<string> {
    const { key, deploymentId } = owner;
    const { store, client, signal } = this.#options;
    return await this.#blobs.run(JSON.stringify([key, hash]), async () => {
      const blob = { hash, size };
      const fetch = (path: string) =>
        client.readBlob(owner.origin(), { deploymentId, ...blob }, path, signal);
      return await store.blob(key, blob) ?? await store.addBlob(key, blob, fetch);
    });
  }
}

/** Of an origin that knows nothing of files. */
const NO_FILES: FileTree = new Map([["", { kind: "directory" }]]);

/** Folders, then files, then links: nothing is made through a link. */
async function makeAll(tree: FileTree, folder: string, layout: Layout): Promise<void> {
  const turn = new Turn();
  for (const kind of ["directory", "file", "symlink"] as const) {
    for (const [path, entry] of tree) {
      if (entry.kind !== kind || path === "") continue;
      const to = join(folder, path);
      if (entry.kind === "directory") makeFolder(to);
      else if (entry.kind === "file") makePlaceholder(to, entry.size, layout.changedAt);
      else Deno.symlinkSync(entry.target, to);
      if (turn.isOver()) await turn.next();
      if (layout.ended) return;
    }
  }
}

/** The folder around it may come later in the tree. */
function makeFolder(path: string): void {
  Deno.mkdirSync(path, { recursive: true });
  Deno.chmodSync(path, FOLDER_MODE);
}

function makePlaceholder(path: string, size: number, changedAt: Date): void {
  using file = Deno.openSync(path, { write: true, createNew: true, mode: PLACEHOLDER_MODE });
  if (size > 0) file.truncateSync(size);
  else Deno.chmodSync(path, FILE_MODE); // There is nothing to fetch.
  file.utimeSync(changedAt, changedAt);
}

function isInPlace(path: string): boolean {
  return (Deno.lstatSync(path).mode! & 0o777) !== PLACEHOLDER_MODE;
}
