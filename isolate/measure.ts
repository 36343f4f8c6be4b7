import { readdirSync } from "node:fs";
import { isGone, readProcFile } from "./proc_file.ts";
import { readProcessStat } from "./process_stat.ts";

/** What a process has used so far, as the kernel counts it. */
export interface ProcessUsage {
  /** User and system time of all its threads, also of those that are gone. */
  cpuMs: number;
  /** Resident set. */
  memoryBytes: number;
  /** What of it is mapped files or shared with other processes. */
  sharedBytes: number;
}

/** Reads /proc, in 12 µs; a process that is gone, or a system without /proc, counts as nothing. */
export function measureProcess(pid: number): ProcessUsage {
  const stat = readProcessStat(pid);
  const statm = readProcFile(`/proc/${pid}/statm`);
  if (stat === undefined || statm === undefined) return { cpuMs: 0, memoryBytes: 0, sharedBytes: 0 };
  const [, resident, shared] = statm.split(" ").map(Number);
  return { cpuMs: stat.cpuMs, memoryBytes: resident! * pageBytes(), sharedBytes: shared! * pageBytes() };
}

/** Those that run a program's JavaScript: Deno's main thread, and its Web Workers. */
const EVENT_LOOP_THREAD = /^(deno|worker-\d+)$/;

/**
 * How long the process's event loops have been ready to run and have waited for a core: it tells an isolate that this
 * machine starves from one that blocks itself. Threads that are gone no longer count; what a control group holds back
 * for having used its share does. Takes 30 µs.
 *
 * @returns ms since each thread's start, summed; 0 for a process that is gone, or a kernel without schedstat
 * (Documentation/scheduler/sched-stats.rst)
 */
export function runDelayMs(pid: number): number {
  let delayNs = 0;
  for (const threadId of threadsOf(pid)) {
    const thread = `/proc/${pid}/task/${threadId}`;
    if (!EVENT_LOOP_THREAD.test(readProcFile(`${thread}/comm`)?.trimEnd() ?? "")) continue;
    delayNs += Number(readProcFile(`${thread}/schedstat`)?.split(" ")[1] ?? 0);
  }
  return delayNs / 1e6;
}

/** What one thread has used so far. */
export interface ThreadUsage {
  cpuMs: number;
  /** See {@linkcode runDelayMs}. */
  runDelayMs: number;
}

/** Reads a thread's schedstat, in 10 µs (Documentation/scheduler/sched-stats.rst); `undefined` when it is gone. */
export function measureThread(pid: number, threadId: string): ThreadUsage | undefined {
  const schedstat = readProcFile(`/proc/${pid}/task/${threadId}/schedstat`);
  if (schedstat === undefined) return undefined;
  const [cpuNs, delayNs] = schedstat.split(" ").map(Number);
  return { cpuMs: cpuNs! / 1e6, runDelayMs: delayNs! / 1e6 };
}

/** The threads of a process's Web Workers, by their numbers, which go up in the order of their start. */
export function workerThreads(pid: number): Map<number, string> {
  const threads = new Map<number, string>();
  for (const threadId of threadsOf(pid)) {
    const [, number] = /^worker-(\d+)$/m.exec(readProcFile(`/proc/${pid}/task/${threadId}/comm`) ?? "") ?? [];
    // Threads that it starts have its name, until they give themselves another.
    if (number !== undefined && !threads.has(Number(number))) threads.set(Number(number), threadId);
  }
  return threads;
}

/** What of a process counts against RLIMIT_DATA (getrlimit(2)): `VmData` of proc_pid_status(5); 0 when it is gone. */
export function dataBytes(pid: number): number {
  return Number(/^VmData:\s*(\d+) kB$/m.exec(readProcFile(`/proc/${pid}/status`) ?? "")?.[1] ?? 0) * 1024;
}

/** The child that a process's main thread started first and that still lives (proc_pid_task(5), `children`). */
export function firstChild(pid: number): number | undefined {
  const [child] = /^\d+/.exec(readProcFile(`/proc/${pid}/task/${pid}/children`) ?? "") ?? [];
  return child === undefined ? undefined : Number(child);
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Type of the page size in the auxiliary vector, of pairs of 64-bit words (getauxval(3)). */
const AT_PAGESZ = 6n;
const WORD_BYTES = 8;
let knownPageBytes: number | undefined;

/** 4, 16 or 64 KiB, as the kernel was built. */
function pageBytes(): number {
  return knownPageBytes ??= readPageBytes();
}

function readPageBytes(): number {
  const vector = new DataView(Deno.readFileSync("/proc/self/auxv").buffer);
  for (let at = 0; at < vector.byteLength; at += 2 * WORD_BYTES) {
    if (vector.getBigUint64(at, true) === AT_PAGESZ) {
      return Number(vector.getBigUint64(at + WORD_BYTES, true));
    }
  }
  throw new Error('Cannot find the page size in "/proc/self/auxv"');
}
