import type { Layer } from "../command.ts";
import type { CgroupDialect, CgroupUsage } from "./cgroup_dialect.ts";
import { endProcesses, removeGroup } from "./cgroup_tree.ts";

/**
 * Joins the groups that are named before "--", and becomes the command. What a shell adds to the environment is taken
 * out again.
 */
const JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; done; ' +
  'shift; unset PWD OLDPWD SHLVL; exec "$@"';

/** One sandbox's control group. */
export class SandboxGroup {
  /**
   * Runs a command inside the group: it joins before it executes anything; exit code 125 if it cannot. The kernel waits 7
   * to 15 ms with the first join after a pause, unless control groups are mounted with `favordynmods`.
   */
  readonly layer: Layer;
  readonly #dialect: CgroupDialect;
  readonly #path: string;
  readonly #dirs: readonly string[];
  #lastUsage: CgroupUsage | undefined;

  /** Of an existing group; `path` is relative to the dialect's bases. */
  constructor(dialect: CgroupDialect, path: string) {
    this.#dialect = dialect;
    this.#path = path;
    this.#dirs = dialect.bases.map((base) => `${base}/${path}`);
    this.layer = ({ path, args, ...rest }) => ({
      ...rest,
      path: "/bin/sh",
      args: ["-c", JOIN, "sh", ...this.#dirs, "--", path, ...args],
    });
  }

  /**
   * A hard bound on its memory, page cache included (which the kernel takes back before it kills); may be set again.
   * Nothing happens where that controller is missing.
   *
   * @throws {RangeError} when more is in use, with control groups v1; with v2 the kernel ends processes until it fits
   */
  async limitMemory(bytes: number): Promise<void> {
    if (!(bytes > 0)) throw new RangeError(`Cannot limit memory to ${bytes} bytes: not a positive number`);
    await this.#dialect.limitMemory(this.#path, Math.ceil(bytes));
  }

  /** What it has used so far, in 20 µs; of a group that is removed, the last. */
  usage(): CgroupUsage {
    return this.#lastUsage ?? this.#dialect.usage(this.#path);
  }

  /**
   * SIGKILL to everything in it, forks included.
   *
   * @throws {Error} when something still lives after 5 s
   */
  async kill(): Promise<void> {
    await endProcesses(this.#dirs);
  }

  /**
   * Removes it, when its last process has ended; idempotent.
   *
   * @returns what it has used
   * @throws {Error} when it still holds a process after 5 s
   */
  async remove(): Promise<CgroupUsage> {
    this.#lastUsage = this.usage();
    await removeGroup(this.#dirs);
    return this.#lastUsage;
  }
}
