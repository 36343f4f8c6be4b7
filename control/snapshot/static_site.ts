/** A file that is served, named by its content. */
export interface ServedFile {
  path: string;
  gitSha1: string;
  sizeBytes: number;
}

/** Files that a static site gets, so that it can be deployed like any other program: path → content. */
export type GeneratedFiles = Map<string, Uint8Array<ArrayBuffer>>;

/** Entry point of a deployed static site. */
export const STATIC_SITE_ENTRYPOINT = "_isola_static.ts";
const LISTING = "_isola_static.json";

/** Not served: configuration and version control. `.well-known/` is public by its purpose (RFC 8615). */
const HIDDEN = /(^|\/)\.(?!well-known\/)/;

/** The server of a static site and the list of what it serves: path → git blob SHA-1 (its ETag) and size in bytes. */
export function staticSiteFiles(files: Iterable<ServedFile>): GeneratedFiles {
  const listing: Record<string, { etag: string; size: number }> = {};
  for (const { path, gitSha1, sizeBytes } of files) {
    if (!HIDDEN.test(path)) listing[path] = { etag: `"${gitSha1}"`, size: sizeBytes };
  }
  return new Map([
    [STATIC_SITE_ENTRYPOINT, Deno.readFileSync(new URL("./static_site_entry.ts", import.meta.url))],
    [LISTING, new TextEncoder().encode(JSON.stringify(listing))],
  ]);
}
