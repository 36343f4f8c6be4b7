import { join } from "node:path";
import type { ProvidedFiles } from "../../../isolate/mod.ts";
import { Turn } from "../../turn.ts";
import type { FileTree, Origin } from "../model.ts";
import type { OriginClient } from "../origin/origin_client.ts";
import { OriginError, type OriginErrorCode } from "../origin/origin_error.ts";
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
  /** While files are being made. */
  making?: Promise<void>;
  ended: boolean;
  /** What the server fails in is reported once: a program may ask for as long as it likes. */
  hasFailed: boolean;
  slots: Slots;
}

/** What {@linkcode FileProvider} works with. */
export interface FileProviderOptions {
  store: ContentStore;
  client: Pick<OriginClient, "readTree" | "readBlob">;
  /** Ends what is being fetched. */
  signal: AbortSignal;
}

/** Gives isolates the files of their deployments: the names of all when it looks at the first one, contents as it asks. */
export class FileProvider {
  readonly #options: FileProviderOptions;
  /** By directory; from an isolate's start to its end. */
  readonly #layouts = new Map<string, Layout>();
  readonly #trees = new SingleFlight<FileTree>();
  readonly #blobs = new SingleFlight<string>();

  constructor(options: FileProviderOptions) {
    this.#options = options;
  }

  /** Makes the folder in a directory in which a program is about to start. */
  begin(dir: string): void {
    Deno.mkdirSync(join(dir, FOLDER));
    Deno.chmodSync(join(dir, FOLDER), FOLDER_MODE); // Whatever the server's umask is.
    if (this.#layouts.size >= MAX_LAYOUTS) this.#layouts.delete(this.#layouts.keys().next().value!);
    this.#layouts.set(dir, { ended: false, hasFailed: false, slots: new Slots(MAX_CONTENTS_AT_ONCE) });
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
      // What exactly is wrong with an origin is for its subhoster, not for the subhoster's customers.
      if (error instanceof OriginError) throw new Error(`Cannot read "${path}": ${PROBLEMS[error.code]}`);
      if (!layout.ended && !layout.hasFailed && !this.#options.signal.aborted) {
        console.error(`Cannot provide files of "${owner.key}":`, error);
        layout.hasFailed = true;
      }
      throw new Error(`Cannot read "${path}": the server has failed`);
    }
  }

  async #layOut(owner: FilesOwner, folder: string, layout: Layout): Promise<void> {
    const tree = await this.#tree(owner).catch((error) => {
      layout.ready = undefined; // Next time it may be there.
      throw error;
    });
    if (layout.ended) return;
    layout.making = makeAll(tree, folder, () => layout.ended);
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
    const temporary = join(dir, `.${crypto.randomUUID()}`);
    await placeFile(from, temporary);
    // rename(2) does nothing where both are the same file already.
    if (isInPlace(to)) Deno.removeSync(temporary);
    else Deno.renameSync(temporary, to);
  }

  async #tree(owner: FilesOwner): Promise<FileTree> {
    const { key, deploymentId } = owner;
    const { store, client, signal } = this.#options;
    return await this.#trees.run(key, async () => {
      const kept = await store.tree(key);
      if (kept !== undefined) return kept;
      const tree = await client.readTree(owner.origin(), deploymentId, signal).catch((error: unknown) => {
        if (error instanceof OriginError && error.code === "not_found") return NO_FILES;
        throw error;
      });
      await store.addTree(key, tree);
      return tree;
    });
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
async function makeAll(tree: FileTree, folder: string, isOver: () => boolean): Promise<void> {
  const turn = new Turn();
  for (const kind of ["directory", "file", "symlink"] as const) {
    for (const [path, entry] of tree) {
      if (entry.kind !== kind || path === "") continue;
      const to = join(folder, path);
      if (entry.kind === "directory") makeFolder(to);
      else if (entry.kind === "file") makePlaceholder(to, entry.size);
      else Deno.symlinkSync(entry.target, to);
      if (turn.isOver()) await turn.next();
      if (isOver()) return;
    }
  }
}

/** The folder around it may come later in the tree. */
function makeFolder(path: string): void {
  Deno.mkdirSync(path, { recursive: true });
  Deno.chmodSync(path, FOLDER_MODE);
}

function makePlaceholder(path: string, size: number): void {
  using file = Deno.openSync(path, { write: true, createNew: true, mode: PLACEHOLDER_MODE });
  if (size > 0) file.truncateSync(size);
  else Deno.chmodSync(path, FILE_MODE); // There is nothing to fetch.
}

function isInPlace(path: string): boolean {
  return (Deno.lstatSync(path).mode! & 0o777) !== PLACEHOLDER_MODE;
}
