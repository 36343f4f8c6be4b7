import { createHash } from "node:crypto";
import { join } from "node:path";
import { CliError } from "../../cli/cli_error.ts";
import { BlobHasher } from "../../cli/snapshot/git_blob.ts";
import { walkFolder } from "../../cli/snapshot/walk_folder.ts";

const VERSION_LENGTH = 12;

/**
 * A subhosted deployment never changes. So the relay is given, for what `hostnames.json` of a folder calls `hello-1`, the id
 * `hello-1@3f2a…`, another one whenever a file below `deployments/hello-1/` is another one.
 */
export class VersionedHostnames {
  readonly #folder: string;
  readonly #hasher = new BlobHasher();
  #ids: ReadonlyMap<string, string> = new Map();

  /** @param file Where the relay reads them. */
  constructor(folder: string, readonly file: string) {
    this.#folder = folder;
  }

  /**
   * Looks at the folder, and writes the file anew if something is different.
   *
   * @returns the hostnames that lead to another deployment now, with its id
   * @throws {CliError} the folder cannot be used as it is
   */
  async update(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const versions = await this.#versions(signal);
    const ids = new Map<string, string>();
    for (const [hostname, deployment] of this.#readHostnames()) {
      const version = versions.get(deployment);
      ids.set(hostname, version === undefined ? deployment : `${deployment}@${version}`);
    }
    const changed = new Map([...ids].filter(([hostname, id]) => this.#ids.get(hostname) !== id));
    if (changed.size === 0 && ids.size === this.#ids.size) return changed;
    await Deno.writeTextFile(`${this.file}.new`, JSON.stringify(Object.fromEntries(ids)));
    await Deno.rename(`${this.file}.new`, this.file);
    this.#ids = ids;
    return changed;
  }

  #readHostnames(): [hostname: string, deployment: string][] {
    const path = join(this.#folder, "hostnames.json");
    try {
      const hostnames: unknown = JSON.parse(Deno.readTextFileSync(path));
      return Object.entries(hostnames as object).map(([hostname, id]) => [hostname, String(id)]);
    } catch (error) {
      throw new CliError("failed", `Cannot read "${path}": ${(error as Error).message}`, { cause: error });
    }
  }

  #files(): ReturnType<typeof walkFolder>["files"] {
    const path = join(this.#folder, "deployments");
    try {
      return walkFolder(path, { include: [], exclude: [] }).files;
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
      const why = `${cause.message}. Is "${this.#folder}" a copy of examples/subhosting?`;
      throw new CliError("failed", `Cannot read "${path}": ${why}`, { cause });
    }
  }

  /** By the names of the deployments' folders. */
  async #versions(signal: AbortSignal): Promise<Map<string, string>> {
    const blobs = await this.#hasher.hashAll(this.#files(), signal);
    const hashes = new Map<string, ReturnType<typeof createHash>>();
    for (const [path, blob] of blobs) {
      const [deployment = ""] = path.split("/");
      const hash = hashes.get(deployment) ?? createHash("sha256");
      hashes.set(deployment, hash.update(JSON.stringify([path, blob])));
    }
    return new Map([...hashes].map(([id, hash]) => [id, hash.digest("hex").slice(0, VERSION_LENGTH)]));
  }
}
