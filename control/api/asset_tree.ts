import { ApiError } from "./errors.ts";

/** As many links are followed in one path as Linux does (path_resolution(7)). */
const MAX_LINKS_FOLLOWED = 40;
/** PATH_MAX and NAME_MAX of Linux, without the final NUL. */
const MAX_PATH_BYTES = 4095;
const MAX_SEGMENT_BYTES = 255;

/** The paths of a deployment: files, and symlinks with their targets. */
export class AssetTree {
  readonly #files: ReadonlySet<string>;
  readonly #links: ReadonlyMap<string, string>;

  /** @throws {ApiError} `badRequest`: a path is malformed, both file and directory, or a link that leads out or nowhere. */
  constructor(files: ReadonlySet<string>, links: ReadonlyMap<string, string>) {
    this.#files = files;
    this.#links = links;
    const directories = new Set<string>();
    for (const path of [...files, ...links.keys()]) {
      const problem = pathProblem(path);
      if (problem !== null) throw refused(path, problem);
      for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
        const directory = path.slice(0, at);
        if (directories.has(directory)) break;
        directories.add(directory);
      }
    }
    for (const directory of directories) {
      if (files.has(directory) || links.has(directory)) {
        throw refused(directory, "it is a file or link and a directory at once");
      }
    }
    for (const [path, target] of links) {
      if (target === "" || target.includes("\0")) throw refused(path, "its target is empty or contains NUL");
      this.#resolve(path, path);
    }
  }

  /** Whether a path leads to a file, through links or not. */
  isFile(path: string): boolean {
    return pathProblem(path) === null && this.#files.has(this.#resolve(path, path));
  }

  /** Where a path leads, the way the kernel goes: link by link, and `..` from wherever a link led. */
  #resolve(path: string, subject: string): string {
    const at: string[] = [];
    const ahead = path.split("/").reverse();
    let followed = 0;
    for (let segment = ahead.pop(); segment !== undefined; segment = ahead.pop()) {
      if (segment === "" || segment === ".") continue;
      if (segment === "..") {
        if (at.pop() === undefined) throw refused(subject, "it leads out of the deployment");
        continue;
      }
      const target = this.#links.get([...at, segment].join("/"));
      if (target === undefined) {
        at.push(segment);
        continue;
      }
      if (target.startsWith("/")) throw refused(subject, `its target "${target}" is not relative`);
      if (++followed > MAX_LINKS_FOLLOWED) {
        throw refused(subject, `it leads through more than ${MAX_LINKS_FOLLOWED} links, or in a circle`);
      }
      ahead.push(...target.split("/").reverse());
    }
    return at.join("/");
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

function refused(path: string, problem: string): ApiError {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return new ApiError("badRequest", `Cannot take asset "${shown}": ${problem}`);
}
