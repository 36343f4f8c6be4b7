import { join } from "node:path";
import { removeIfThere } from "../../files/remove_if_there.ts";

/** What was left half made by a server that was killed goes when it is so old: another one may be at work beside this one. */
const MAX_UNFINISHED_AGE_MS = 60 * 60_000;
/** Sources and files are other users' to read, by hard links. */
const FILE_MODE = 0o444;
const OWN_FOLDER = { recursive: true, mode: 0o700 };

/**
 * A folder for each name. What is in one appears there whole, by being renamed, and goes in the same way, so that any number
 * of servers may use it at once.
 */
export class KeptFolder {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** Makes the folder if it is not there, readable by its owner alone. */
  static async open(dir: string): Promise<KeptFolder> {
    await Deno.mkdir(join(dir, "tmp"), OWN_FOLDER);
    return new KeptFolder(dir);
  }

  /** @param name In hex. */
  path(name: string, ...parts: string[]): string {
    return join(this.#dir, name.slice(0, 2), name, ...parts);
  }

  /** A new name, on the same disk. */
  temporaryPath(): string {
    return join(this.#dir, "tmp", crypto.randomUUID());
  }

  /** Makes a folder that was made elsewhere that of the name; returns whether it is, because there was none. */
  async add(from: string, name: string): Promise<boolean> {
    await Deno.mkdir(this.path(name, ".."), OWN_FOLDER);
    try {
      await Deno.rename(from, this.path(name));
      return true;
    } catch (error) {
      // rename(2): what is replaced must be an empty folder.
      const { code } = error as { code?: string };
      if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
      return false;
    }
  }

  /** Puts a file that was made elsewhere where it belongs, durably: it is never there in part. */
  async addFile(from: string, name: string, ...parts: string[]): Promise<void> {
    using file = await Deno.open(from);
    await file.syncData();
    await Deno.chmod(from, FILE_MODE); // Whatever the umask is.
    await Deno.mkdir(this.path(name, ...parts.slice(0, -1)), OWN_FOLDER);
    await Deno.rename(from, this.path(name, ...parts));
  }

  /** Removes all of the name. */
  async remove(name: string): Promise<void> {
    const removed = this.temporaryPath();
    try {
      await Deno.rename(this.path(name), removed);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    await removeIfThere(removed);
  }

  /** Removes what killed servers have left. */
  async sweep(): Promise<void> {
    const oldest = Date.now() - MAX_UNFINISHED_AGE_MS;
    for await (const { name } of Deno.readDir(join(this.#dir, "tmp"))) {
      const path = join(this.#dir, "tmp", name);
      const changedAt = await Deno.lstat(path).then(({ mtime }) => mtime?.getTime(), () => undefined);
      if (changedAt !== undefined && changedAt < oldest) await removeIfThere(path);
    }
  }
}
