/** What a process has used so far, as the kernel counts it. */
export interface ProcessUsage {
  /** User and system time of all its threads, also of those that are gone. */
  cpuMs: number;
  /** Resident set. */
  memoryBytes: number;
}

/** USER_HZ: the unit of the times in /proc/pid/stat is 10 ms on every Linux that Deno runs on (proc(5)). */
const TICK_MS = 10;
const PAGE_BYTES = 4096;

/** Reads /proc; a process that is gone, or a system without /proc, counts as nothing. */
export async function measureProcess(pid: number): Promise<ProcessUsage> {
  try {
    const [stat, statm] = await Promise.all([
      Deno.readTextFile(`/proc/${pid}/stat`),
      Deno.readTextFile(`/proc/${pid}/statm`),
    ]);
    // The second field is the command in parentheses and may hold anything: count from its end.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
      memoryBytes: Number(statm.split(" ")[1]) * PAGE_BYTES,
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { cpuMs: 0, memoryBytes: 0 };
    throw error;
  }
}
