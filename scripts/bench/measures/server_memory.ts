/** Of the server's process. */
export interface ServerMemory {
  rssMiB: number;
  peakRssMiB: number;
}

/** By proc_pid_status(5). */
export async function serverMemory(pid: number): Promise<ServerMemory> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const mebibytes = (field: string) =>
    Number(RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024;
  return { rssMiB: mebibytes("VmRSS"), peakRssMiB: mebibytes("VmHWM") };
}
