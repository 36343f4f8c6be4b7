import { posix } from "node:path";
import type { FolderConfig } from "./folder_config.ts";
import { SnapshotError } from "./snapshot_error.ts";

/** The module that a deployment starts with, or that there is none because the folder is a static site. */
export type Entrypoint = { kind: "module"; path: string; foundBy: string } | { kind: "static-site" };

const EXTENSIONS = ["ts", "tsx", "js", "jsx", "mjs", "mts"];
const USUAL_NAMES = [
  ...["main", "server", "index"].flatMap((name) => EXTENSIONS.map((extension) => `${name}.${extension}`)),
  ...EXTENSIONS.map((extension) => `src/main.${extension}`),
];

/** What {@linkcode findEntrypoint} looks at. */
export interface EntrypointSources {
  /** What the user asked for, relative to the folder, and where. */
  wanted: { path: string; namedBy: string } | undefined;
  config: Pick<FolderConfig, "entrypoints">;
  /** Paths that are deployed. */
  paths: ReadonlySet<string>;
  /** Content of `index.html`, if there is one. */
  indexHtml: string | undefined;
}

/**
 * In this order: the user's, deno.json's `deploy.entrypoint` and `exports`, `main.ts` and the other usual names,
 * package.json's `main`. A usual name that `index.html` loads is a script of the page, not the server. With none of
 * them a folder with an `index.html`, or without any code, is a static site.
 *
 * @throws {SnapshotError} the named one is not there, or there is none
 */
export function findEntrypoint({ wanted, config, paths, indexHtml }: EntrypointSources): Entrypoint {
  if (wanted !== undefined) return named(wanted.path, wanted.namedBy, paths);
  const explicit = config.entrypoints.find(({ namedBy }) => namedBy.includes("deno.json"));
  if (explicit) return named(explicit.path, explicit.namedBy, paths);
  const usual = USUAL_NAMES.find((path) => paths.has(path) && !isScriptOfPage(path, indexHtml));
  if (usual) return { kind: "module", path: usual, foundBy: "its name" };
  const [last] = config.entrypoints;
  if (last && paths.has(last.path)) return { kind: "module", path: last.path, foundBy: last.namedBy };
  const hasCode = [...paths].some((path) => EXTENSIONS.includes(posix.extname(path).slice(1)));
  if (indexHtml !== undefined || (!hasCode && paths.size > 0)) return { kind: "static-site" };
  throw new SnapshotError(
    "Cannot find an entry point: there is no main.ts, server.ts, index.ts, src/main.ts or the like, " +
      'and no index.html. Name one with --entrypoint or as "deploy.entrypoint" in deno.json',
  );
}

function named(path: string, namedBy: string, paths: ReadonlySet<string>): Entrypoint {
  const normalized = posix.normalize(path);
  if (paths.has(normalized)) return { kind: "module", path: normalized, foundBy: namedBy };
  throw new SnapshotError(
    `Cannot use entry point "${path}" (${namedBy}): it is not among the deployed files`,
  );
}

function isScriptOfPage(path: string, indexHtml: string | undefined): boolean {
  const sources = indexHtml?.matchAll(/\bsrc\s*=\s*["']?(?:\.?\/)?([^"'\s>?#]+)/gi) ?? [];
  return [...sources].some(([, source]) => source === path);
}
