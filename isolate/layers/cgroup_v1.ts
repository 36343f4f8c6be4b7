import {
  type CgroupController,
  type CgroupDialect,
  type CgroupLimits,
  type CgroupUsage,
  CPU_PERIOD_US,
} from "./cgroup_dialect.ts";
import { numberAt, readControl, writeControl, writeControlIfThere } from "./cgroup_files.ts";

/** Of all sandboxes together, beside the 1024 of each thread or group next to theirs, such as the server's. */
const CPU_SHARES = 512;

/** The directory of each controller that may be used; several may be one hierarchy. */
export type CgroupV1Dirs = Partial<Record<CgroupController | "cpuacct", string>>;

/** Control groups v1 (Documentation/admin-guide/cgroup-v1). */
export class CgroupV1 implements CgroupDialect {
  readonly version = 1;
  readonly controllers: readonly CgroupController[];
  readonly bases: readonly string[];
  readonly #dirs: CgroupV1Dirs;

  constructor(dirs: CgroupV1Dirs) {
    this.#dirs = dirs;
    this.bases = [...new Set(Object.values(dirs))];
    this.controllers = (["memory", "cpu", "pids"] as const).filter((name) => name in dirs);
  }

  async prepareServer(path: string): Promise<void> {
    const { cpu } = this.#dirs;
    if (cpu !== undefined) await writeControl(`${cpu}/${path}/cpu.shares`, CPU_SHARES);
  }

  async prepareSandbox(path: string, { maxProcesses, cpuPercent }: CgroupLimits): Promise<void> {
    const { cpu, pids } = this.#dirs;
    if (pids !== undefined) await writeControl(`${pids}/${path}/pids.max`, maxProcesses);
    if (cpu !== undefined) {
      await writeControl(`${cpu}/${path}/cpu.cfs_period_us`, CPU_PERIOD_US);
      await writeControl(`${cpu}/${path}/cpu.cfs_quota_us`, cpuPercent * CPU_PERIOD_US / 100);
    }
  }

  /** Both bounds are the same, so that nothing is swapped: memory and swap together may never be bounded by less. */
  async limitMemory(path: string, bytes: number): Promise<void> {
    const { memory } = this.#dirs;
    if (memory === undefined) return;
    const limit = `${memory}/${path}/memory.limit_in_bytes`;
    const limitWithSwap = `${memory}/${path}/memory.memsw.limit_in_bytes`; // Without swap accounting there is none.
    const raises = Number(readControl(limit)) < bytes;
    try {
      if (raises) await writeControlIfThere(limitWithSwap, bytes);
      await writeControl(limit, bytes);
      if (!raises) await writeControlIfThere(limitWithSwap, bytes);
    } catch (error) {
      if ((error as { code?: string }).code !== "EBUSY") throw error;
      throw new RangeError(`Cannot limit the memory of "${path}" to ${bytes} bytes: more is in use`, {
        cause: error,
      });
    }
  }

  usage(path: string): CgroupUsage {
    const { memory, cpu, cpuacct } = this.#dirs;
    const usage: CgroupUsage = {};
    if (cpuacct !== undefined) usage.cpuMs = Number(readControl(`${cpuacct}/${path}/cpuacct.usage`)) / 1e6;
    if (cpu !== undefined) {
      usage.throttledMs = numberAt("throttled_time", readControl(`${cpu}/${path}/cpu.stat`)) / 1e6;
    }
    if (memory !== undefined) {
      const dir = `${memory}/${path}`;
      const stat = readControl(`${dir}/memory.stat`);
      const cacheBytes = numberAt("total_cache", stat) - numberAt("total_shmem", stat);
      usage.memoryBytes = Math.max(0, Number(readControl(`${dir}/memory.usage_in_bytes`)) - cacheBytes);
      usage.oomKills = numberAt("oom_kill", readControl(`${dir}/memory.oom_control`));
    }
    return usage;
  }
}
