import { createHash } from "node:crypto";
import { CliError } from "../cli_error.ts";
import type { FolderFile } from "./walk_folder.ts";

/** The SHA-1 by which git, and the asset API, name a content: of `blob LENGTH\0` and the bytes. */
export function gitBlobSha1(content: Uint8Array): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

interface KnownBlob {
  sizeBytes: number;
  mtimeMs: number;
  gitSha1: string;
}

/**
 * Hashes files, streaming, and remembers the hashes: a file of the same size and modification time is not read again.
 * Holds the files of the last {@linkcode BlobHasher.hashAll} only.
 */
export class BlobHasher {
  #known = new Map<string, KnownBlob>();

  /** @returns the git blob SHA-1 of each file by its path */
  async hashAll(files: readonly FolderFile[], signal: AbortSignal): Promise<Map<string, string>> {
    const known = new Map<string, KnownBlob>();
    for (const file of files) {
      signal.throwIfAborted();
      const { source, sizeBytes, mtimeMs } = file;
      const before = this.#known.get(source);
      const isSame = before?.sizeBytes === sizeBytes && before.mtimeMs === mtimeMs;
      known.set(source, isSame ? before : { sizeBytes, mtimeMs, gitSha1: await hashFile(file) });
    }
    this.#known = known;
    return new Map(files.map(({ path, source }) => [path, known.get(source)!.gitSha1]));
  }
}

/** @throws {CliError} the file's size changed meanwhile */
async function hashFile({ path, source, sizeBytes }: FolderFile): Promise<string> {
  const hash = createHash("sha1").update(`blob ${sizeBytes}\0`);
  let readBytes = 0;
  const file = await Deno.open(source);
  for await (const chunk of file.readable) {
    readBytes += chunk.length;
    hash.update(chunk);
  }
  if (readBytes !== sizeBytes) throw new CliError("failed", `Cannot read "${path}": it changed meanwhile`);
  return hash.digest("hex");
}
