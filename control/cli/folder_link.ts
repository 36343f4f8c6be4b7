import { dirname, join } from "node:path";
import { CliError } from "./cli_error.ts";

/** What `isola link` remembers of a folder. Nothing of it is secret: the file may be committed. */
export interface FolderLink {
  /** Control address of the server. */
  url: string;
  /** Name of the project. */
  project: string;
  /** Id of its organization, where several had to be told apart. */
  organization?: string;
}

/** The name of the file in the folder. It is never deployed. */
export const LINK_FILE = ".isola.json";

/** What is remembered of the folder, or of the nearest one around it. */
export function linkedProject(cwd: string): FolderLink | undefined {
  for (let folder = cwd;; folder = dirname(folder)) {
    const link = readLink(folder);
    if (link !== undefined || dirname(folder) === folder) return link;
  }
}

/**
 * What is remembered of a folder.
 *
 * @throws {CliError} the file is not what `isola link` writes
 */
export function readLink(folder: string): FolderLink | undefined {
  const path = join(folder, LINK_FILE);
  try {
    const { url, project, organization } = JSON.parse(Deno.readTextFileSync(path));
    if (typeof url !== "string" || !URL.canParse(url) || typeof project !== "string") {
      throw new TypeError("url or project is missing");
    }
    return { url, project, ...(typeof organization === "string" ? { organization } : {}) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw new CliError(
      "failed",
      `Cannot read "${path}": ${(error as Error).message}. Forget it: isola link --remove`,
      { cause: error },
    );
  }
}

/** Remembers a project of a folder. Returns the path of the file. */
export function saveLink(folder: string, link: FolderLink): string {
  const path = join(folder, LINK_FILE);
  Deno.writeTextFileSync(path, JSON.stringify(link, null, 2) + "\n");
  return path;
}

/** Forgets what is remembered of a folder. False if nothing was. */
export function removeLink(folder: string): boolean {
  try {
    Deno.removeSync(join(folder, LINK_FILE));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
