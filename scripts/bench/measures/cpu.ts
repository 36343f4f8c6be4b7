/** Clock ticks of /proc/PID/stat a second: 100 on every Linux that Deno runs on (proc_pid_stat(5), sysconf(3)). */
const TICKS_PER_SECOND = 100;

interface ProcessStat {
  parent: number;
  ticks: number;
}

/** User and system CPU time in ms that the processes `roots` and their living descendants have used until now. */
export function cpuMs(roots: readonly number[]): number {
  const processes = new Map<number, ProcessStat>();
  for (const { name } of Deno.readDirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? readStat(name) : undefined;
    if (stat) processes.set(Number(name), stat);
  }
  let ticks = 0;
  for (const [pid, stat] of processes) {
    if (isUnder(pid, roots, processes)) ticks += stat.ticks;
  }
  return ticks * 1000 / TICKS_PER_SECOND;
}

function isUnder(pid: number, roots: readonly number[], processes: Map<number, ProcessStat>): boolean {
  let at: number | undefined = pid;
  while (at !== undefined && !roots.includes(at)) at = processes.get(at)?.parent;
  return at !== undefined;
}

/** `undefined` for a process that has ended meanwhile. */
function readStat(pid: string): ProcessStat | undefined {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The command's name, in parentheses, may hold spaces and parentheses: fields are counted after the last one.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || (error as { code?: string }).code === "ESRCH") {
      return undefined;
    }
    throw error;
  }
}
