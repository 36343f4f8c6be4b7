import { statfsSync } from "node:fs";

/** What one build may use. */
export interface BuildBounds {
  /** Resident memory of all its processes together. */
  memoryBytes: number;
  processes: number;
  /** Of the file system that `dir` is on: packages are downloaded there. */
  freeDiskBytes: number;
  dir: string;
}

const INTERVAL_MS = 100;
/** On every Linux that Deno runs on. */
const PAGE_BYTES = 4096;

/**
 * Looks at a builder and all that it has started, ten times a second, until it is disposed.
 *
 * @param onBreach is told once what the build took too much of. Without /proc, that is only room on the disk.
 */
export function watchBuild(pid: number, bounds: BuildBounds, onBreach: (what: string) => void): Disposable {
  const timer = setInterval(() => {
    const breach = findBreach(pid, bounds);
    if (breach === undefined) return;
    clearInterval(timer);
    onBreach(breach);
  }, INTERVAL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function findBreach(pid: number, bounds: BuildBounds): string | undefined {
  const pids = processTree(pid, bounds.processes);
  if (pids.length > bounds.processes) return `more than ${bounds.processes} processes`;
  const memoryBytes = pids.reduce((sum, each) => sum + residentBytes(each), 0);
  if (memoryBytes > bounds.memoryBytes) {
    return `more than ${Math.round(bounds.memoryBytes / 1024 ** 2)} MiB of memory`;
  }
  const { bavail, bsize } = statfsSync(bounds.dir);
  return bavail * bsize < bounds.freeDiskBytes ? "all but the last of the server's disk" : undefined;
}

/** A process and its descendants; not many more than `max`. */
function processTree(root: number, max: number): number[] {
  const found = [root];
  for (const pid of found) {
    if (found.length > max) break;
    for (const task of listed(`/proc/${pid}/task`)) {
      // Children belong to the thread that started them (proc_pid_task(5)).
      found.push(...read(`/proc/${pid}/task/${task}/children`).split(" ").filter(Boolean).map(Number));
    }
  }
  return found;
}

function residentBytes(pid: number): number {
  return Number(read(`/proc/${pid}/statm`).split(" ")[1] ?? 0) * PAGE_BYTES;
}

function listed(dir: string): string[] {
  try {
    return Array.from(Deno.readDirSync(dir), ({ name }) => name);
  } catch {
    return []; // It has ended.
  }
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
