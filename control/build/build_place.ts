import { join } from "node:path";
import { endLeftCommands } from "../process/end_left_commands.ts";
import { folderSize } from "../files/folder_size.ts";
import { succeeds } from "./succeeds.ts";

/** Kept of what was downloaded; past that, packages are downloaded anew. The largest frameworks have 0.3 GiB. */
const MAX_CACHE_BYTES = 2 * 1024 ** 3;
const MAX_CACHE_FILES = 200_000;
/** Between two looks at how much that is. */
const BUILDS_PER_CHECK = 20;
const CACHE = "deno";

/** What a cache may grow to. */
export interface CacheBounds {
  /** @default {2147483648} */
  maxBytes?: number;
  /** @default {200000} */
  maxFiles?: number;
}

/**
 * Where one build at a time works: its files, and beside them what Deno has downloaded for it and those before. They
 * share a directory because a file view shows that as one mount, within which Deno links the files of a package; from
 * one mount to another it has to copy them (link(2), EXDEV).
 */
export class BuildPlace {
  /** Absolute, without symlinks. All that a build sees. */
  readonly dir: string;
  /** `DENO_DIR` of its Deno processes. */
  readonly cacheDir: string;
  readonly #bounds: Required<CacheBounds>;
  #builds = 0;

  constructor(dir: string, { maxBytes = MAX_CACHE_BYTES, maxFiles = MAX_CACHE_FILES }: CacheBounds = {}) {
    this.dir = dir;
    this.cacheDir = join(dir, CACHE);
    this.#bounds = { maxBytes, maxFiles };
  }

  /** Makes the directory for a build's files, and returns it. */
  async enter(deploymentId: string): Promise<string> {
    const dir = join(this.dir, deploymentId);
    await Deno.mkdir(dir);
    return dir;
  }

  /** Removes all but the cache. */
  async clear(): Promise<void> {
    for (const { name } of await Array.fromAsync(Deno.readDir(this.dir))) {
      if (name !== CACHE) await removeWhatever(join(this.dir, name));
    }
  }

  /** Now and then, empties the cache if it has grown too large. No build may be under way. */
  async boundCache(): Promise<void> {
    if (this.#builds++ % BUILDS_PER_CHECK > 0 || !await this.#isTooLarge()) return;
    await Deno.remove(this.cacheDir, { recursive: true });
    await Deno.mkdir(this.cacheDir);
  }

  async #isTooLarge(): Promise<boolean> {
    const { maxBytes, maxFiles } = this.#bounds;
    const { bytes, files } = await folderSize(this.cacheDir, { bytes: maxBytes, files: maxFiles });
    return files > maxFiles || bytes > maxBytes;
  }
}

/**
 * Removes a directory, also one in which a build command has made folders that their owner may not change, or so many
 * levels of them that `Deno.remove()` would run out of stack, which ends the process. The tools of the system do not.
 */
async function removeWhatever(dir: string): Promise<void> {
  if (await succeeds("rm", ["-rf", "--", dir])) return;
  await succeeds("chmod", ["-R", "u+rwx", "--", dir]);
  if (!await succeeds("rm", ["-rf", "--", dir])) throw new Error(`Cannot remove "${dir}": rm failed`);
}

/** Opens a place, and ends and removes what an earlier server left in it. */
export async function openBuildPlace(dir: string, bounds?: CacheBounds): Promise<BuildPlace> {
  await Deno.mkdir(join(dir, CACHE), { recursive: true });
  const place = new BuildPlace(await Deno.realPath(dir), bounds);
  await endLeftCommands(place.dir);
  await place.clear();
  return place;
}
