import { isAbsolute, posix, relative, resolve } from "node:path";
import { CliError } from "../cli_error.ts";
import { formatBytes } from "../quantity.ts";
import { MAX_FILES, MAX_FILES_BYTES } from "../../model.ts";
import { isNeverDeployed, isSecretFile } from "../../snapshot/deployed_paths.ts";
import { globMatcher, ignoreMatcher } from "../../snapshot/path_matchers.ts";
import type { FolderConfig } from "../../snapshot/folder_config.ts";

/** A file to deploy. */
export interface FolderFile {
  /** Relative to the folder, with "/". */
  path: string;
  /** Absolute, on this machine. */
  source: string;
  sizeBytes: number;
  mtimeMs: number;
}

/** What of a folder is to be deployed. */
export interface FolderContents {
  files: FolderFile[];
  /** Path → target, relative to the link's own folder. */
  links: Map<string, string>;
  /** Left out for a reason that the user should hear of. */
  leftOut: { path: string; reason: string }[];
}

/** Patterns of the ignore file in folder `base` ("" = root); paths are matched relative to it. */
interface IgnoreRules {
  base: string;
  matcher: ReturnType<typeof ignoreMatcher>;
}

/**
 * Lists what of `root` is to be deployed: not what {@linkcode isNeverDeployed}, not `.env` files, nothing that a `.gitignore`
 * in it or below names (gitignore(5): the nearest file decides), nor what its configuration excludes. Ignore files
 * above `root` do not count: a build output that git ignores can be deployed.
 *
 * @throws {CliError} a link leaves the folder, or there is too much
 */
export function walkFolder(root: string, config: Pick<FolderConfig, "include" | "exclude">): FolderContents {
  const contents: FolderContents = { files: [], links: new Map(), leftOut: [] };
  const included = config.include.length > 0 ? globMatcher(config.include) : undefined;
  const excluded = globMatcher(config.exclude);
  let totalBytes = 0;

  const visit = (folder: string, outerRules: readonly IgnoreRules[]) => {
    const rules = withRulesOf(root, folder, outerRules);
    const entries = [...Deno.readDirSync(resolve(root, folder))].sort((a, b) => a.name < b.name ? -1 : 1);
    for (const entry of entries) {
      const path = posix.join(folder, entry.name);
      if (isNeverDeployed(entry.name) || isIgnored(path, entry.isDirectory, rules)) continue;
      if (excluded.ignores(path)) continue;
      if (entry.isDirectory) visit(path, rules);
      else if (included && !included.ignores(path)) continue;
      else if (isSecretFile(entry.name)) {
        contents.leftOut.push({ path, reason: "variables are given with --env or --env-file" });
      } else if (entry.isSymlink) contents.links.set(path, linkTarget(root, path));
      else if (entry.isFile) {
        const { size, mtime } = Deno.lstatSync(resolve(root, path));
        const file = { path, source: resolve(root, path), sizeBytes: size, mtimeMs: mtime?.getTime() ?? 0 };
        totalBytes += size;
        contents.files.push(file);
        refuseTooMuch(root, contents.files.length, totalBytes);
      } else contents.leftOut.push({ path, reason: "neither a file, a folder nor a link" });
    }
  };

  visit("", []);
  leaveOutBrokenLinks(contents);
  return contents;
}

function withRulesOf(root: string, folder: string, outer: readonly IgnoreRules[]): readonly IgnoreRules[] {
  try {
    const text = Deno.readTextFileSync(resolve(root, folder, ".gitignore"));
    return [...outer, { base: folder, matcher: ignoreMatcher(text) }];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return outer;
    throw error;
  }
}

function isIgnored(path: string, isDirectory: boolean, rules: readonly IgnoreRules[]): boolean {
  for (const { base, matcher } of rules.toReversed()) {
    const verdict = matcher.test(posix.relative(base, path) + (isDirectory ? "/" : ""));
    if (verdict.ignored || verdict.unignored) return verdict.ignored;
  }
  return false;
}

function linkTarget(root: string, path: string): string {
  const target = Deno.readLinkSync(resolve(root, path));
  const folder = resolve(root, posix.dirname(path));
  const absolute = resolve(folder, target);
  const inside = relative(root, absolute);
  if (inside === ".." || inside.startsWith("../") || isAbsolute(inside)) {
    throw new CliError(
      "failed",
      `Cannot deploy link "${path}": its target "${target}" is outside of the folder`,
    );
  }
  return relative(folder, absolute) || ".";
}

/** A link to what is not deployed would lead nowhere. */
function leaveOutBrokenLinks({ files, links, leftOut }: FolderContents): void {
  const present = new Set(files.flatMap(({ path }) => withParents(path)));
  for (const [path, target] of [...links]) {
    const leadsSomewhere = withParents(posix.join(posix.dirname(path), target))
      .some((step, index) => index === 0 && present.has(step) || links.has(step));
    if (leadsSomewhere) continue;
    links.delete(path);
    leftOut.push({ path, reason: `its target "${target}" is not deployed` });
  }
}

/** "a/b/c" → ["a/b/c", "a/b", "a", "."]. */
function withParents(path: string): string[] {
  return path === "." ? [path] : [path, ...withParents(posix.dirname(path))];
}

/** The server refuses more as well; here it is said before anything is hashed. */
function refuseTooMuch(root: string, files: number, bytes: number): void {
  if (files <= MAX_FILES && bytes <= MAX_FILES_BYTES) return;
  const limit = files > MAX_FILES ? `${MAX_FILES} files` : formatBytes(MAX_FILES_BYTES);
  throw new CliError(
    "failed",
    `Cannot deploy "${root}": more than ${limit}. Name what is not needed in .gitignore or "deploy.exclude" of deno.json`,
  );
}
