/**
 * Memory that nobody else shares and that was written to, in bytes, of all descendants of a process, without its own
 * (proc_pid_smaps(5)). For root, who may read that of every user's processes.
 */
export function privateDirtyBytes(root: number): number {
  const childrenOf = new Map<number, number[]>();
  for (const { name } of Deno.readDirSync("/proc")) {
    const parent = /^\d+$/.test(name)
      ? /^PPid:\s+(\d+)$/m.exec(read(`/proc/${name}/status`))?.[1]
      : undefined;
    if (parent) childrenOf.set(Number(parent), [...childrenOf.get(Number(parent)) ?? [], Number(name)]);
  }
  let kibibytes = 0;
  const found = [...childrenOf.get(root) ?? []];
  for (const pid of found) {
    const smaps = read(`/proc/${pid}/smaps_rollup`);
    kibibytes += Number(/^Private_Dirty:\s+(\d+) kB$/m.exec(smaps)?.[1] ?? 0);
    found.push(...childrenOf.get(pid) ?? []);
  }
  return kibibytes * 1024;
}

/** "" of a process that has ended meanwhile. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || (error as { code?: string }).code === "ESRCH") return "";
    throw error;
  }
}
