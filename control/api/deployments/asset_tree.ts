import { MAX_FILES } from "../../model.ts";
import { ApiError } from "../errors.ts";

/** As many links are followed in one path as Linux does (path_resolution(7)). */
const MAX_LINKS_FOLLOWED = 40;
/** PATH_MAX and NAME_MAX of Linux, without the final NUL. */
const MAX_PATH_BYTES = 4095;
const MAX_SEGMENT_BYTES = 255;
/** Of one deployment. */
const MAX_DIRECTORIES = 4 * MAX_FILES;
/** Characters of paths that are looked at in all: some tens of milliseconds. */
const MAX_WALKED = 2 ** 25;
/** What looking at one path costs beside its characters. */
const LOOKUP_COST = 32;

/** The paths of a deployment: files, and symlinks with their targets. */
export class AssetTree {
  readonly #files: ReadonlySet<string>;
  readonly #links: ReadonlyMap<string, string>;
  #walked = 0;

  /**
   * @throws {ApiError} `badRequest`: a path is malformed, both file and directory, or a link that leads out or nowhere; or
   * all of it is too much to be looked at.
   */
  constructor(files: ReadonlySet<string>, links: ReadonlyMap<string, string>) {
    this.#files = files;
    this.#links = links;
    const directories = new Set<string>();
    for (const path of [...files, ...links.keys()]) {
      const problem = pathProblem(path);
      if (problem !== null) throw refusedAsset(path, problem);
      for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
        const directory = path.slice(0, at);
        if (directories.has(directory)) break;
        this.#walked += directory.length;
        if (directories.add(directory).size > MAX_DIRECTORIES || this.#walked > MAX_WALKED) {
          throw tooManyDirectories();
        }
      }
    }
    for (const directory of directories) {
      if (files.has(directory) || links.has(directory)) {
        throw refusedAsset(directory, "it is a file or link and a directory at once");
      }
    }
    for (const [path, target] of links) {
      if (target === "" || target.includes("\0")) {
        throw refusedAsset(path, "its target is empty or contains NUL");
      }
      if (isLonger(target, MAX_PATH_BYTES)) {
        throw refusedAsset(path, `its target is longer than ${MAX_PATH_BYTES} bytes`);
      }
      this.#resolve(path, path);
    }
  }

  /** Whether a path leads to a file, through links or not. */
  isFile(path: string): boolean {
    return pathProblem(path) === null && this.#files.has(this.#resolve(path, path));
  }

  /** Where a path leads, the way the kernel goes: link by link, and `..` from wherever a link led. */
  #resolve(path: string, subject: string): string {
    let at = "";
    const ahead = path.split("/").reverse();
    let followed = 0;
    for (let segment = ahead.pop(); segment !== undefined; segment = ahead.pop()) {
      if (segment === "" || segment === ".") continue;
      if (segment === "..") {
        if (at === "") throw refusedAsset(subject, "it leads out of the deployment");
        at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
        continue;
      }
      const next = at === "" ? segment : `${at}/${segment}`;
      this.#walked += next.length + LOOKUP_COST;
      if (next.length > MAX_PATH_BYTES || this.#walked > MAX_WALKED) {
        throw refusedAsset(subject, "the links of the deployment lead through too many or too long paths");
      }
      const target = this.#links.get(next);
      if (target === undefined) {
        at = next;
        continue;
      }
      if (target.startsWith("/")) throw refusedAsset(subject, `its target "${target}" is not relative`);
      if (++followed > MAX_LINKS_FOLLOWED) {
        throw refusedAsset(subject, `it leads through more than ${MAX_LINKS_FOLLOWED} links, or in a circle`);
      }
      ahead.push(...target.split("/").reverse());
    }
    return at;
  }
}

/** Why a path cannot be one of a deployment, or `null`. Paths are relative and normalized; case matters. */
export function pathProblem(path: string): string | null {
  if (path === "") return "it is empty";
  if (path === "__proto__") return "it is not usable as a name";
  if (path.startsWith("/")) return "it is not relative";
  if (path.includes("\0") || path.includes("\\")) return `it contains NUL or "\\"`;
  if (!path.isWellFormed()) return "it is not valid Unicode";
  if (isLonger(path, MAX_PATH_BYTES)) return `it is longer than ${MAX_PATH_BYTES} bytes`;
  const segments = path.split("/");
  if (segments[0]!.toLowerCase() === ".isola") return `".isola" is reserved`;
  for (const segment of segments) {
    if (segment === "" || segment === "." || segment === "..") {
      return `it has an empty, "." or ".." segment`;
    }
    if (isLonger(segment, MAX_SEGMENT_BYTES)) return `a segment is longer than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return null;
}

function isLonger(text: string, maxBytes: number): boolean {
  // A UTF-16 unit is at most 3 bytes of UTF-8: most paths need no encoding.
  return text.length * 3 > maxBytes && new TextEncoder().encode(text).length > maxBytes;
}

/** Something of a deployment cannot be taken, which is named. */
export function refusedAsset(path: string, problem: string): ApiError {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return new ApiError("badRequest", `Cannot take asset "${shown}": ${problem}`);
}

function tooManyDirectories(): ApiError {
  return new ApiError(
    "badRequest",
    `Cannot take more than ${MAX_DIRECTORIES} directories in one deployment, or too deep ones`,
  );
}
