import { posix } from "node:path";
import { AssetTree } from "../api/deployments/asset_tree.ts";
import { checkSizes } from "../api/deployments/assets.ts";
import type { Manifest } from "../model.ts";
import { STATIC_SITE_ENTRYPOINT, staticSiteFiles } from "../snapshot/static_site.ts";
import type { Blobs, StoredBlob } from "../store/mod.ts";
import type { CommitFiles } from "./commit_files.ts";
import { type CommitLocation, readObjects } from "./commit_objects.ts";

/** Contents up to so much are held while they are written, so that several are at once. */
const MAX_HELD_BYTES = 256 * 1024;
const PARALLEL_PUTS = 16;

/**
 * Stores the contents of a commit that its project does not have yet, and a static site's server.
 *
 * @returns the files of the deployment, and its entry point
 * @throws {ApiError} It is not what can be deployed.
 */
export async function storeFiles(
  location: CommitLocation,
  { blobs, projectId }: { blobs: Blobs; projectId: string },
  { files, links, entrypoint }: CommitFiles,
): Promise<{ files: Manifest; entrypoint: string }> {
  checkSizes(files.map(({ path, size }): [string, number] => [path, size]));
  new AssetTree(new Set(files.map(({ path }) => path)), links);
  const { found, missing } = await blobs.byGitSha1(projectId, files.map(({ sha }) => sha));
  const stored = new Map([...found, ...await storeObjects(location, blobs, missing)]);
  const manifest: Manifest = {};
  for (const { path, sha } of files) manifest[path] = fileEntry(stored.get(sha)!);
  for (const [path, target] of links) manifest[path] = { kind: "symlink", target };
  if (entrypoint.kind === "module") return { files: manifest, entrypoint: entrypoint.path };
  const byPath = new Map(files.map(({ path, sha, size }) => [path, { path, gitSha1: sha, sizeBytes: size }]));
  const linked = [...links].flatMap(([path, target]) => {
    const file = byPath.get(posix.join(posix.dirname(path), target));
    return file ? [{ ...file, path }] : [];
  });
  for (const [path, content] of staticSiteFiles([...byPath.values(), ...linked])) {
    manifest[path] = fileEntry(await blobs.put(content));
  }
  return { files: manifest, entrypoint: STATIC_SITE_ENTRYPOINT };
}

function fileEntry({ sha256, size }: StoredBlob): Manifest[string] {
  return { kind: "file", sha256, size };
}

async function storeObjects(
  location: CommitLocation,
  blobs: Blobs,
  shas: readonly string[],
): Promise<Map<string, StoredBlob>> {
  const stored = new Map<string, StoredBlob>();
  const puts = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const { sha, size, content } of readObjects(location, shas)) {
      const isHeld = size <= MAX_HELD_BYTES;
      const source = isHeld ? new Uint8Array(await new Response(content).arrayBuffer()) : content;
      const put: Promise<void> = blobs.put(source, { gitSha1: sha })
        .then((blob) => void stored.set(sha, blob), (error) => void failures.push(error))
        .finally(() => puts.delete(put));
      puts.add(put);
      if (!isHeld) await put;
      else if (puts.size >= PARALLEL_PUTS) await Promise.race(puts);
      if (failures.length > 0) throw failures[0];
    }
  } finally {
    await Promise.all(puts);
  }
  if (failures.length > 0) throw failures[0];
  return stored;
}
