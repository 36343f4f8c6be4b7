import { ApiError } from "../errors.ts";

/**
 * The path that a URL of a create body names. Official clients write `main.ts`, `./main.ts`, or `file:///src/main.ts`,
 * where `/src/` is the folder that was uploaded.
 *
 * @param isFile Whether a path is a file of the deployment.
 * @throws {ApiError} `badRequest`: it is not such a URL, or no file is there.
 */
export function sourcePath(field: string, url: string, isFile: (path: string) => boolean): string {
  const path = candidates(url).find(isFile);
  if (path !== undefined) return path;
  throw new ApiError(
    "badRequest",
    `Invalid request: "${field}": "${
      url.slice(0, 200)
    }" must name one of the assets, by its path or as file:///src/PATH`,
  );
}

function candidates(url: string): string[] {
  if (!url.startsWith("file:")) {
    return /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? [] : [url.replace(/^(?:\.?\/)+/, "")];
  }
  const pathname = URL.parse(url)?.pathname;
  if (pathname === undefined) return [];
  let path: string;
  try {
    path = decodeURIComponent(pathname).replace(/^\/+/, "");
  } catch {
    return [];
  }
  return path.startsWith("src/") ? [path.slice("src/".length), path] : [path];
}
