import { posix } from "node:path";
import { type GitSettings, MAX_FILES } from "../model.ts";
import { isNeverDeployed, isSecretFile } from "../snapshot/deployed_paths.ts";
import { type Entrypoint, type EntrypointSources, findEntrypoint } from "../snapshot/find_entrypoint.ts";
import { type FolderConfig, readFolderConfig } from "../snapshot/folder_config.ts";
import { SnapshotError } from "../snapshot/snapshot_error.ts";
import { Turn } from "../scheduling/turn.ts";
import { choosePaths } from "./choose_paths.ts";
import { type CommitLocation, readObjects, type TreeEntry } from "./commit_objects.ts";

/** What of a commit is deployed. */
export interface CommitFiles {
  files: TreeEntry[];
  /** Targets by path. */
  links: Map<string, string>;
  entrypoint: Entrypoint;
  /** What whoever pushed should hear of, a sentence each. */
  warnings: string[];
}

/** What of a project's settings matters here. */
export type CommitSettings = Pick<GitSettings, "entrypoint" | "buildCommand">;

/** Contents that are looked into: configuration, pages, links. */
const MAX_TEXT_BYTES = 1024 ** 2;
const MAX_LINK_BYTES = 4096;
const CONFIG_FILES = ["deno.json", "deno.jsonc", "package.json", "index.html"];
/** Git LFS specification, "The Pointer". */
const LFS_POINTER = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n/;
const LFS_POINTER_BYTES = { min: 100, max: 300 };
/** Named in one warning. */
const MAX_NAMED = 5;

/**
 * Chooses what of a commit is deployed, as `isola deploy` does of a folder; but what is committed is not ignored, whatever
 * .gitignore says, and what a build command needs is not excluded.
 *
 * @throws {SnapshotError} Its configuration cannot be read, there are too many files, or no entry point.
 * @throws {GitError}
 */
export async function chooseFiles(
  location: CommitLocation,
  tree: readonly TreeEntry[],
  settings: CommitSettings,
): Promise<CommitFiles> {
  const texts = await readTexts(location, tree.filter(isConfig));
  const textOf = (path: string) => texts.get(tree.find((entry) => entry.path === path)?.sha ?? "");
  const config = readFolderConfig(textOf);
  const chosen = await chosenOf(tree, settings.buildCommand === null ? config : { include: [], exclude: [] });
  if (chosen.length > MAX_FILES) {
    throw new SnapshotError(`Cannot deploy ${chosen.length} files: a deployment has ${MAX_FILES} at most`);
  }
  for (const [sha, text] of await readTexts(location, chosen.filter(isLinkOrPointer))) texts.set(sha, text);
  const files = chosen.filter(({ kind }) => kind === "file");
  const links = new Map(
    chosen.filter(({ kind }) => kind === "symlink").map(({ path, sha }) => [path, texts.get(sha) ?? ""]),
  );
  const paths = new Set([...files.map(({ path }) => path), ...links.keys()]);
  return {
    files,
    links,
    entrypoint: entrypointOf(settings, { config, paths, indexHtml: textOf("index.html") }),
    warnings: [
      ...named(
        "Left out",
        tree.filter(({ path }) => isSecretFile(posix.basename(path))),
        "variables are set with isola env",
      ),
      ...named("Left out", tree.filter(({ kind }) => kind === "submodule"), "submodules are not fetched"),
      ...named(
        "Deployed as a pointer",
        files.filter(({ sha }) => LFS_POINTER.test(texts.get(sha) ?? "")),
        "contents in Git LFS are not fetched",
      ),
    ],
  };
}

function isConfig({ kind, path, size }: TreeEntry): boolean {
  return kind === "file" && CONFIG_FILES.includes(path) && size <= MAX_TEXT_BYTES;
}

function isLinkOrPointer({ kind, size }: TreeEntry): boolean {
  if (kind === "symlink") return size <= MAX_LINK_BYTES;
  return size >= LFS_POINTER_BYTES.min && size <= LFS_POINTER_BYTES.max;
}

async function chosenOf(
  tree: readonly TreeEntry[],
  { include, exclude }: Pick<FolderConfig, "include" | "exclude">,
): Promise<TreeEntry[]> {
  const turn = new Turn();
  const possible: TreeEntry[] = [];
  for (const entry of tree) {
    const { kind, path } = entry;
    const segments = path.split("/");
    const isRefused = kind === "submodule" || segments.some(isNeverDeployed) ||
      isSecretFile(segments.at(-1)!);
    if (!isRefused) possible.push(entry);
    if (turn.isOver()) await turn.next();
  }
  const chosen = await choosePaths({ paths: possible.map(({ path }) => path), include, exclude });
  return possible.filter((_, index) => chosen[index]);
}

function entrypointOf(
  { entrypoint, buildCommand }: CommitSettings,
  sources: Omit<EntrypointSources, "wanted">,
): Entrypoint {
  const wanted = entrypoint === null
    ? undefined
    : { path: entrypoint, namedBy: "the project's git settings" };
  const explicit = wanted ?? sources.config.entrypoints[0];
  // The build may be what makes it.
  if (buildCommand !== null && explicit !== undefined) {
    return { kind: "module", path: posix.normalize(explicit.path), foundBy: explicit.namedBy };
  }
  return findEntrypoint({ ...sources, wanted });
}

async function readTexts(
  location: CommitLocation,
  entries: readonly TreeEntry[],
): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const shas = new Set(entries.map(({ sha }) => sha));
  for await (const { sha, content } of readObjects(location, [...shas])) {
    texts.set(sha, await new Response(content).text());
  }
  return texts;
}

function named(what: string, entries: readonly TreeEntry[], why: string): string[] {
  if (entries.length === 0) return [];
  const names = entries.slice(0, MAX_NAMED).map(({ path }) => `"${path}"`).join(", ");
  const more = entries.length > MAX_NAMED ? ` and ${entries.length - MAX_NAMED} more` : "";
  return [`${what}: ${names}${more}: ${why}`];
}
