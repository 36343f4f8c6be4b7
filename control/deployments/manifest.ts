import type { Manifest, ManifestEntry } from "../model.ts";
import { type ServedFile, STATIC_SITE_ENTRYPOINT, staticSiteFiles } from "../snapshot/static_site.ts";
import type { Blobs, StoredBlob } from "../store/mod.ts";

/** What a deployment is made of: stored contents, and targets of links, by path. */
export function manifestOf(
  files: Iterable<readonly [path: string, content: StoredBlob]>,
  links: Iterable<readonly [path: string, target: string]>,
): Manifest {
  const manifest: Manifest = {};
  for (const [path, content] of files) manifest[path] = fileEntry(content);
  for (const [path, target] of links) manifest[path] = { kind: "symlink", target };
  return manifest;
}

/** Stores a server of files, which needs no network to be built, and adds it to their manifest. Returns its entry point. */
export async function addStaticSite(
  blobs: Blobs,
  manifest: Manifest,
  served: Iterable<ServedFile>,
): Promise<string> {
  for (const [path, content] of staticSiteFiles(served)) {
    manifest[path] = fileEntry(await blobs.put(content));
  }
  return STATIC_SITE_ENTRYPOINT;
}

function fileEntry({ sha256, size }: StoredBlob): ManifestEntry {
  return { kind: "file", sha256, size };
}
