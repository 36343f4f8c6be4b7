import { readProcFile } from "./proc_file.ts";

/** USER_HZ: the unit of the times in /proc/pid/stat is 10 ms on every Linux that Deno runs on (proc(5)). */
const TICK_MS = 10;

/** What the kernel says of a process, as far as it is of use here. */
export interface ProcessStat {
  /** Its command, in at most 15 bytes. */
  name: string;
  /** One letter: `Z` and `X` are dead. */
  state: string;
  parentPid: number;
  /** User and system time of all its threads, also of those that are gone. */
  cpuMs: number;
  /** When it started; with its pid, what tells it from every other process since the machine did. */
  startTicks: number;
}

/** Reads /proc/pid/stat (proc_pid_stat(5)); `undefined` for a process that is gone. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  const stat = readProcFile(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the command in parentheses and may hold anything: the others are counted from its end.
  const nameEnd = stat.lastIndexOf(")");
  const fields = stat.slice(nameEnd + 2).split(" ");
  return {
    name: stat.slice(stat.indexOf("(") + 1, nameEnd),
    state: fields[0]!,
    parentPid: Number(fields[1]),
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    startTicks: Number(fields[19]),
  };
}
