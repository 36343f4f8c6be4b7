import { posix, resolve } from "node:path";
import { CliError } from "../cli_error.ts";
import { findEntrypoint } from "../../snapshot/find_entrypoint.ts";
import { readFolderConfig } from "../../snapshot/folder_config.ts";
import { SnapshotError } from "../../snapshot/snapshot_error.ts";
import { STATIC_SITE_ENTRYPOINT, staticSiteFiles } from "../../snapshot/static_site.ts";
import { type BlobHasher, gitBlobSha1 } from "./git_blob.ts";
import { type FolderContents, walkFolder } from "./walk_folder.ts";

/** A file of a snapshot, named by its content. */
export interface SnapshotFile {
  /** Relative, with "/". */
  path: string;
  sizeBytes: number;
  gitSha1: string;
  /** Its content; a large one streams. */
  open(): Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>>;
}

/**
 * Content up to so much is read whole and sent with the head of its request. `fetch` does not set TCP_NODELAY: a short
 * body after the head would wait 40 ms, until the server acknowledges that (tcp(7)).
 */
const MAX_WHOLE_BYTES = 64 * 1024;

/** A folder as it is to be deployed. */
export interface Snapshot {
  root: string;
  entrypoint: string;
  /** How the entry point was found. */
  foundBy: string;
  files: SnapshotFile[];
  links: FolderContents["links"];
  leftOut: FolderContents["leftOut"];
}

/** How {@linkcode takeSnapshot} reads a folder. */
export interface SnapshotOptions {
  /** Entry point, relative to the folder, instead of the one to be found. */
  entrypoint: string | undefined;
  /** Keeps the hashes from one snapshot of the folder to the next. */
  hasher: BlobHasher;
  signal: AbortSignal;
}

/**
 * Lists and hashes what of a folder is to be deployed. A static site gets a small server of its own.
 *
 * @throws {CliError} it is no folder, has no entry point, too much in it, or a link out of it
 */
export async function takeSnapshot(folder: string, options: SnapshotOptions): Promise<Snapshot> {
  try {
    return await readSnapshot(realFolder(folder), options);
  } catch (error) {
    if (error instanceof SnapshotError) throw new CliError("failed", error.message, { cause: error });
    throw error;
  }
}

async function readSnapshot(root: string, options: SnapshotOptions): Promise<Snapshot> {
  const config = readFolderConfig((file) => readText(resolve(root, file)));
  const { files: found, links, leftOut } = walkFolder(root, config);
  const paths = new Set([...found.map(({ path }) => path), ...links.keys()]);
  const indexHtml = paths.has("index.html") ? readText(resolve(root, "index.html")) : undefined;
  const wanted = options.entrypoint === undefined
    ? undefined
    : { path: options.entrypoint, namedBy: "--entrypoint" };
  const entry = findEntrypoint({ wanted, config, paths, indexHtml });
  const hashes = await options.hasher.hashAll(found, options.signal);
  const files = found.map(({ path, source, sizeBytes }): SnapshotFile => ({
    path,
    sizeBytes,
    gitSha1: hashes.get(path)!,
    open: async () =>
      sizeBytes <= MAX_WHOLE_BYTES ? await Deno.readFile(source) : (await Deno.open(source)).readable,
  }));
  if (entry.kind === "module") {
    return { root, entrypoint: entry.path, foundBy: entry.foundBy, files, links, leftOut };
  }
  for (const [path, content] of staticSiteFiles([...files, ...linkedFiles(files, links)])) {
    const open = () => Promise.resolve(content);
    files.push({ path, sizeBytes: content.length, gitSha1: gitBlobSha1(content), open });
  }
  return { root, entrypoint: STATIC_SITE_ENTRYPOINT, foundBy: "static site", files, links, leftOut };
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Files under the names of the links to them. */
function linkedFiles(files: readonly SnapshotFile[], links: Snapshot["links"]): SnapshotFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  return [...links].flatMap(([path, target]) => {
    const file = byPath.get(posix.join(posix.dirname(path), target));
    return file ? [{ ...file, path }] : [];
  });
}

/**
 * The folder's own path, without links.
 *
 * @throws {CliError} there is no such folder
 */
export function realFolder(folder: string): string {
  try {
    const root = Deno.realPathSync(folder);
    if (Deno.statSync(root).isDirectory) return root;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  throw new CliError("failed", `Cannot deploy "${folder}": there is no such folder`);
}
