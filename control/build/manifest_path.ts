import { posix } from "node:path";

const MAX_PATH_LENGTH = 4096;
const MAX_SEGMENT_LENGTH = 255;
const FORBIDDEN = /[\0\\]/;

/** Whether a path is normalized, relative and stays where it is put: what a `Manifest` may name. */
export function isManifestPath(path: string): boolean {
  if (path.length > MAX_PATH_LENGTH || FORBIDDEN.test(path)) return false;
  return path.split("/").every((segment) =>
    segment !== "" && segment !== "." && segment !== ".." && segment.length <= MAX_SEGMENT_LENGTH
  );
}

/**
 * Whether a symlink at `path` leads to something inside the deployment. A ".." after a name is refused: when the name is
 * itself a symlink, the kernel goes up from where that leads, which the text does not show.
 */
export function isInnerLink(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.length > MAX_PATH_LENGTH || FORBIDDEN.test(target)) {
    return false;
  }
  const segments = target.split("/").filter((segment) => segment !== "" && segment !== ".");
  const up = segments.findLastIndex((segment) => segment === "..") + 1;
  const onlyLeading = segments.slice(0, up).every((segment) => segment === "..");
  return onlyLeading && up < posix.normalize(path).split("/").length;
}
