import type { Manifest } from "../../model.ts";
import { STATIC_SITE_ENTRYPOINT, staticSiteFiles } from "../../snapshot/static_site.ts";
import type { Blobs } from "../../store/mod.ts";
import type { FlatManifest } from "./nested_manifest.ts";

const FILE_SERVER =
  /^(?:jsr:\/?@std\/http(?:@[^/]+)?\/file[-_]server|https:\/\/deno\.land\/std(?:@[^/]+)?\/http\/file_server\.ts)$/;

/** Whether an entry point is the standard library's file server, with which users of `deployctl` publish a folder. */
export function isFileServer(url: string): boolean {
  return FILE_SERVER.test(url);
}

/** Adds a server of the files instead of it, which needs no network to be built. Returns its entry point. */
export async function addFileServer(
  blobs: Blobs,
  files: Manifest,
  given: FlatManifest["files"],
): Promise<string> {
  const served = [...given].map(([path, { gitSha1, size }]) => ({ path, gitSha1, sizeBytes: size }));
  for (const [path, content] of staticSiteFiles(served)) {
    const { sha256, size } = await blobs.put(content);
    files[path] = { kind: "file", sha256, size };
  }
  return STATIC_SITE_ENTRYPOINT;
}
