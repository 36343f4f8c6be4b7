import { join } from "node:path";
import { NO_CACHE, type SandboxPaths, SOCKETS } from "./command.ts";
import { SandboxError } from "./ending.ts";

/** What {@linkcode SandboxDirectories} works with. */
export interface SandboxDirectoriesOptions {
  id: string;
  /** As the server sees them. */
  paths: SandboxPaths;
  /** Where the server alone may go. */
  servedDir: string;
  /** The user that the sandbox becomes, if it does. */
  uid: number | undefined;
}

/** What one sandbox has on disk. */
export class SandboxDirectories {
  readonly appDir: string;
  readonly #cacheDir: string;
  readonly #socketsDir: string;
  readonly #servedDir: string;
  readonly #uid: number | undefined;

  constructor({ id, paths, servedDir, uid }: SandboxDirectoriesOptions) {
    this.appDir = paths.appDir;
    this.#cacheDir = paths.cacheDir;
    this.#socketsDir = paths.socketsDir;
    this.#servedDir = join(servedDir, id);
    this.#uid = uid;
  }

  /** Path of a socket in the sandbox's own directory. */
  socket(name: keyof typeof SOCKETS): string {
    return join(this.#socketsDir, SOCKETS[name]);
  }

  /** Where the server connects to what the sandbox serves. */
  served(name: "http" | "node"): string {
    return join(this.#servedDir, SOCKETS[name]);
  }

  async make(): Promise<void> {
    await Deno.mkdir(this.#socketsDir, { mode: 0o700 });
    if (this.#uid !== undefined) {
      // It starts as root, of which it has no power but the group, and becomes this user.
      await Deno.chown(this.#socketsDir, this.#uid, 0);
      await Deno.chmod(this.#socketsDir, 0o770);
    }
    await Deno.mkdir(this.#servedDir, { recursive: true, mode: 0o700 });
    await Deno.mkdir(this.appDir, { recursive: true });
    await Deno.chmod(this.appDir, 0o755);
    if (this.#cacheDir === NO_CACHE) return;
    await Deno.mkdir(this.#cacheDir);
    await Deno.chmod(this.#cacheDir, 0o755);
  }

  /**
   * What the sandbox serves gets names in the server's own directory: the server may connect to sockets that a tenant may
   * not, and must not be led there. The sandbox's directory takes nothing any more.
   *
   * @throws {SandboxError} when what it serves is no socket
   */
  async seal(): Promise<void> {
    for (const name of ["http", "node"] as const) {
      await Deno.link(this.socket(name), this.served(name)).catch(() => {});
      const isSocket = await Deno.lstat(this.served(name)).then((info) => info.isSocket, () => false);
      if (!isSocket) throw new SandboxError("protocol", `Cannot use "${SOCKETS[name]}": it is not a socket`);
    }
    if (this.#uid !== undefined) await Deno.chown(this.#socketsDir, 0, this.#uid);
    await Deno.chmod(this.#socketsDir, this.#uid === undefined ? 0o500 : 0o710);
  }

  /** What cannot be removed now goes when the home does. */
  async remove(reclaim: ((dir: string) => Promise<void>) | undefined): Promise<void> {
    const removing = { recursive: true };
    await Promise.allSettled([
      Deno.chmod(this.#socketsDir, 0o700).then(() => Deno.remove(this.#socketsDir, removing)),
      Deno.remove(this.#servedDir, removing),
      Promise.resolve(reclaim?.(this.appDir)).finally(() => Deno.remove(join(this.appDir, ".."), removing)),
    ]);
  }
}
