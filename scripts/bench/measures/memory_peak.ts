/**
 * The greatest resident memory of a process, in bytes, while `during` is under way, with what that resolved to. By the kernel's own
 * high-water mark (proc_pid_status(5), VmHWM), which 5 in /proc/PID/clear_refs resets.
 */
export async function withPeakRssBytes<T>(pid: number, during: () => Promise<T>): Promise<[T, number]> {
  await Deno.writeTextFile(`/proc/${pid}/clear_refs`, "5");
  const result = await during();
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return [result, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024];
}
