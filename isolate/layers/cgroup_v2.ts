import {
  type CgroupController,
  type CgroupDialect,
  type CgroupLimits,
  type CgroupUsage,
  CPU_PERIOD_US,
} from "./cgroup_dialect.ts";
import { numberAt, readControl, writeControl, writeControlIfThere } from "./cgroup_files.ts";

/** Of all sandboxes together, beside the server's 100: it stays quick when they are busy. */
const CPU_WEIGHT = 50;

/** Control groups v2 (Documentation/admin-guide/cgroup-v2.rst). */
export class CgroupV2 implements CgroupDialect {
  readonly version = 2;
  readonly controllers: readonly CgroupController[];
  readonly bases: readonly string[];
  readonly #base: string;

  /** `base` is a group whose controllers may be handed on: it holds no process, or is the root. */
  constructor(base: string, controllers: readonly CgroupController[]) {
    this.#base = base;
    this.bases = [base];
    this.controllers = controllers;
  }

  async prepareServer(path: string): Promise<void> {
    const dir = `${this.#base}/${path}`;
    await writeControl(`${dir}/cgroup.subtree_control`, this.controllers.map((name) => `+${name}`).join(" "));
    if (this.controllers.includes("cpu")) await writeControl(`${dir}/cpu.weight`, CPU_WEIGHT);
  }

  async prepareSandbox(path: string, { maxProcesses, cpuPercent }: CgroupLimits): Promise<void> {
    const dir = `${this.#base}/${path}`;
    if (this.controllers.includes("pids")) await writeControl(`${dir}/pids.max`, maxProcesses);
    if (this.controllers.includes("cpu")) {
      await writeControl(`${dir}/cpu.max`, `${cpuPercent * CPU_PERIOD_US / 100} ${CPU_PERIOD_US}`);
    }
    if (this.controllers.includes("memory")) {
      await writeControlIfThere(`${dir}/memory.swap.max`, 0); // Without swap there is no such file.
      await writeControl(`${dir}/memory.oom.group`, 1);
    }
  }

  async limitMemory(path: string, bytes: number): Promise<void> {
    if (this.controllers.includes("memory")) await writeControl(`${this.#base}/${path}/memory.max`, bytes);
  }

  usage(path: string): CgroupUsage {
    const dir = `${this.#base}/${path}`;
    const cpuStat = readControl(`${dir}/cpu.stat`);
    // Counted in every group, also without the controller.
    const usage: CgroupUsage = { cpuMs: numberAt("usage_usec", cpuStat) / 1000 };
    if (this.controllers.includes("cpu")) usage.throttledMs = numberAt("throttled_usec", cpuStat) / 1000;
    if (this.controllers.includes("memory")) {
      const stat = readControl(`${dir}/memory.stat`);
      const cacheBytes = numberAt("file", stat) - numberAt("shmem", stat);
      usage.memoryBytes = Math.max(0, Number(readControl(`${dir}/memory.current`)) - cacheBytes);
      usage.oomKills = numberAt("oom_kill", readControl(`${dir}/memory.events`));
    }
    return usage;
  }
}
