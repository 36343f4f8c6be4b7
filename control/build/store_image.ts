import { join } from "node:path";
import type { Image, Manifest } from "../model.ts";
import { BuildError } from "./build_error.ts";
import { type BuiltFile, type BuiltImage, MAX_IMAGE_BYTES } from "./protocol.ts";

const MAX_PUTS_AT_ONCE = 16;

/** Where contents are kept. */
export interface FileStore {
  putFile(path: string): Promise<{ sha256: string; size: number }>;
}

/** Stores the files of a builder's image. As {@linkcode storeBuiltFiles}. */
export async function storeImage(built: BuiltImage, dir: string, store: FileStore): Promise<Image> {
  const { mode, entry, config, reason } = built;
  return {
    mode,
    entry,
    files: await storeBuiltFiles(built.files, dir, store),
    ...(config === undefined ? {} : { config }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/**
 * Stores files that a builder names.
 *
 * @param dir the build directory, without symlinks in its path; nothing outside of it is read
 * @throws {BuildError} there is too much
 * @throws {Error} a file is not there, is none, or leads outside
 */
export async function storeBuiltFiles(
  built: readonly BuiltFile[],
  dir: string,
  store: FileStore,
): Promise<Manifest> {
  const files: Manifest = {};
  let bytes = 0;
  const queue = built.values();
  const work = async () => {
    for (const file of queue) {
      if ("target" in file) {
        files[file.path] = { kind: "symlink", target: file.target };
        continue;
      }
      const path = await Deno.realPath(join(dir, file.from));
      if (!path.startsWith(dir + "/")) {
        throw new Error(`Cannot store "${file.from}": it leads outside the build`);
      }
      const { isFile, size: length } = await Deno.stat(path);
      if (!isFile) throw new Error(`Cannot store "${file.from}": it is not a file`);
      bytes += length;
      if (bytes > MAX_IMAGE_BYTES) {
        throw new BuildError(`Cannot store what was built: more than ${MAX_IMAGE_BYTES} bytes`);
      }
      const { sha256, size } = await store.putFile(path);
      files[file.path] = { kind: "file", sha256, size };
    }
  };
  await Promise.all(Array.from({ length: MAX_PUTS_AT_ONCE }, work));
  return files;
}
