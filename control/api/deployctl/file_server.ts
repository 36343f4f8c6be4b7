import { addStaticSite } from "../../deployments/manifest.ts";
import type { Manifest } from "../../model.ts";
import type { Blobs } from "../../store/mod.ts";
import type { FlatManifest } from "./nested_manifest.ts";

const FILE_SERVER =
  /^(?:jsr:\/?@std\/http(?:@[^/]+)?\/file[-_]server|https:\/\/deno\.land\/std(?:@[^/]+)?\/http\/file_server\.ts)$/;

/** Whether an entry point is the standard library's file server, with which users of `deployctl` publish a folder. */
export function isFileServer(url: string): boolean {
  return FILE_SERVER.test(url);
}

/** Adds a server of the files instead of it. Returns its entry point. */
export function addFileServer(
  blobs: Blobs,
  files: Manifest,
  given: FlatManifest["files"],
): Promise<string> {
  const served = [...given].map(([path, { gitSha1, size }]) => ({ path, gitSha1, sizeBytes: size }));
  return addStaticSite(blobs, files, served);
}
