import { readdir } from "node:fs/promises";
import process from "node:process";
import { openFilesLimit } from "../process/open_files_limit.ts";
import { counter, gauge, type Metric } from "./exposition.ts";

/** What Prometheus' client libraries tell of every process, by the names that they use. */
export async function processMetrics(): Promise<Metric[]> {
  const { user, system } = process.cpuUsage();
  return [
    counter("process_cpu_seconds_total", "CPU time of the server process.", (user + system) / 1e6),
    gauge("process_resident_memory_bytes", "Resident memory of the server process.", Deno.memoryUsage().rss),
    ...await fileMetrics(),
    gauge(
      "process_start_time_seconds",
      "When the server process started, in Unix time.",
      performance.timeOrigin / 1000,
    ),
  ];
}

/** Only Linux tells them, by proc(5). */
async function fileMetrics(): Promise<Metric[]> {
  if (Deno.build.os !== "linux") return [];
  const [open, max] = await Promise.all([readdir("/proc/self/fd"), openFilesLimit()]);
  return [
    gauge("process_open_fds", "Open file descriptors of the server process.", open.length),
    ...(max === null ? [] : [
      gauge("process_max_fds", "File descriptors that the server process may have open.", max),
    ]),
  ];
}
