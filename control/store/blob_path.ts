import { join } from "node:path";

/** Of a content's file: for everybody to read, for nobody to change. */
export const BLOB_MODE = 0o444;

/** Where in the folder of contents that of a hash is, or would be. */
export function blobPath(dir: string, sha256: string): string {
  return join(dir, sha256.slice(0, 2), sha256);
}
