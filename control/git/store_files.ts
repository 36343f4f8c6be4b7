import { posix } from "node:path";
import { AssetTree } from "../api/deployments/asset_tree.ts";
import { checkSizes } from "../api/deployments/assets.ts";
import { addStaticSite, manifestOf } from "../deployments/manifest.ts";
import type { Manifest } from "../model.ts";
import { ParallelWork } from "../scheduling/parallel_work.ts";
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
  const manifest = manifestOf(files.map(({ path, sha }) => [path, stored.get(sha)!]), links);
  if (entrypoint.kind === "module") return { files: manifest, entrypoint: entrypoint.path };
  const byPath = new Map(files.map(({ path, sha, size }) => [path, { path, gitSha1: sha, sizeBytes: size }]));
  const linked = [...links].flatMap(([path, target]) => {
    const file = byPath.get(posix.join(posix.dirname(path), target));
    return file ? [{ ...file, path }] : [];
  });
  const served = [...byPath.values(), ...linked];
  return { files: manifest, entrypoint: await addStaticSite(blobs, manifest, served) };
}

async function storeObjects(
  location: CommitLocation,
  blobs: Blobs,
  shas: readonly string[],
): Promise<Map<string, StoredBlob>> {
  const stored = new Map<string, StoredBlob>();
  await using puts = new ParallelWork(PARALLEL_PUTS);
  for await (const { sha, size, content } of readObjects(location, shas)) {
    const put = async (source: Uint8Array | ReadableStream<Uint8Array>) =>
      void stored.set(sha, await blobs.put(source, { gitSha1: sha }));
    if (size > MAX_HELD_BYTES) {
      await put(content);
      continue;
    }
    const held = new Uint8Array(await new Response(content).arrayBuffer());
    await puts.add(() => put(held));
  }
  await puts.finish();
  return stored;
}
