import { createHash } from "node:crypto";
import { join } from "node:path";
import { type BuildLog, MAX_FILES } from "../model.ts";
import { BuildError } from "./build_error.ts";
import { isInnerLink, isManifestPath } from "./manifest_path.ts";
import { type BuiltFile, MAX_IMAGE_BYTES } from "./protocol.ts";

const CHUNK_BYTES = 256 * 1024;
/** Of the deployment's files and those written, which are read before anybody knows which are which. */
const MAX_BYTES = 2 * MAX_IMAGE_BYTES;
/** Of what was written: the server reads all paths in one go. */
const MAX_PATHS_LENGTH = 2 * 1024 ** 2;
/** Named in the log. */
const MAX_IGNORED = 50;
/** Settings for those who build, and the history of the source. */
const NOT_WRITTEN: ReadonlySet<string> = new Set([".git", ".npmrc", "deno.lock"]);

/** What is not asked for. */
export interface WrittenFilesOptions {
  /** SHA-256 of what was there before, by path. */
  hashes: Readonly<Record<string, string>>;
  /** Paths of folders. */
  skip: readonly string[];
  log(line: BuildLog): void;
}

/**
 * The files of a directory that were not there before, or are others now. Whoever has made them is not trusted: nothing but
 * files is read, and no link is followed.
 *
 * @throws {BuildError} there is too much
 */
export function writtenFiles(dir: string, { hashes, skip, log }: WrittenFilesOptions): BuiltFile[] {
  const written: BuiltFile[] = [];
  const folders = [""];
  let bytes = 0;
  let pathsLength = 0;
  let ignored = 0;
  const add = (file: BuiltFile) => {
    pathsLength += file.path.length;
    if (written.push(file) > MAX_FILES) throw tooMuch(`more than ${MAX_FILES} files`);
    if (pathsLength > MAX_PATHS_LENGTH) throw tooMuch("too many files with long names");
  };
  const ignore = (path: string, reason: string) => {
    if (ignored++ < MAX_IGNORED) log({ level: "warning", message: `Ignoring "${path}": ${reason}` });
  };
  for (const folder of folders) {
    for (const { name, isDirectory, isFile, isSymlink } of Deno.readDirSync(join(dir, folder))) {
      const path = folder + name;
      if (NOT_WRITTEN.has(name) || skip.includes(path) || path === ".isola") continue;
      if (!isManifestPath(path) || name.includes("\ufffd")) {
        ignore(path, "not a name for a file of a deployment");
      } else if (isDirectory) folders.push(`${path}/`);
      else if (isSymlink) {
        const target = Deno.readLinkSync(join(dir, path));
        if (isInnerLink(path, target)) add({ path, target });
        else ignore(path, "the link leads out of the deployment");
      } else if (isFile) {
        bytes += Deno.lstatSync(join(dir, path)).size;
        if (bytes > MAX_BYTES) throw tooMuch(`files of more than ${MAX_BYTES} bytes together`);
        if (hashOf(join(dir, path)) !== hashes[path]) add({ path, from: path });
      } else ignore(path, "neither a file nor a link");
    }
  }
  return written;
}

function tooMuch(what: string): BuildError {
  return new BuildError(`Cannot build: the build command left ${what}`);
}

function hashOf(path: string): string {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(CHUNK_BYTES);
  using file = Deno.openSync(path);
  for (let read = file.readSync(buffer); read !== null; read = file.readSync(buffer)) {
    hash.update(buffer.subarray(0, read));
  }
  return hash.digest("hex");
}
