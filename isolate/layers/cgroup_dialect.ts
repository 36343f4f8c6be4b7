/** What of a sandbox is bounded by control groups. */
export type CgroupController = "memory" | "cpu" | "pids";

/** What a group has used; a value is missing where the controller that counts it is. */
export interface CgroupUsage {
  /** User and system time of every process that was ever in it. */
  cpuMs?: number;
  /**
   * How long it was held back for having used its share, summed over cores. It is part of what its threads seem to have
   * waited for a core, and is its own doing.
   */
  throttledMs?: number;
  /**
   * What only its end, or the program itself, gives back: private and shared memory, files on tmpfs, kernel memory. Not
   * the page cache: the kernel charges a page of Deno's own binary, say, to the sandbox that happened to touch it first.
   */
  memoryBytes?: number;
  /** Processes that the kernel killed because the group had no memory left. */
  oomKills?: number;
}

/** What every sandbox's group has from its start. */
export interface CgroupLimits {
  /** Threads count. */
  maxProcesses: number;
  /** Of one core, in each period of 100 ms. */
  cpuPercent: number;
}

/** The period in which a share of a core is given out, of both versions. */
export const CPU_PERIOD_US = 100_000;

/** How one version of control groups is spoken. A `path` is a group's, below the place of the server's own groups. */
export interface CgroupDialect {
  readonly version: 1 | 2;
  readonly controllers: readonly CgroupController[];
  /** Where the server's own groups are: one directory of v2, one for each hierarchy of v1. */
  readonly bases: readonly string[];
  /** Makes a server's group ready for those of its sandboxes. */
  prepareServer(path: string): Promise<void>;
  /** Sets a sandbox's limits, but for its memory's. */
  prepareSandbox(path: string, limits: CgroupLimits): Promise<void>;
  /** @throws {RangeError} v1 alone: more is in use. v2 ends processes of the group until less is. */
  limitMemory(path: string, bytes: number): Promise<void>;
  usage(path: string): CgroupUsage;
}
