import { format } from "./measures/statistics.ts";

/** What a benchmark's figures are of, in one line: when, with which Deno, on which machine. */
export function machine(): string {
  const processor = /^model name\s*: (.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ??
    Deno.build.arch;
  const gibibytes = Deno.systemMemoryInfo().total / 1024 ** 3;
  return [
    new Date().toISOString().slice(0, 10),
    `Deno ${Deno.version.deno}`,
    `${navigator.hardwareConcurrency} cores of ${processor}`,
    `${format(gibibytes, 0)} GiB`,
    `Linux ${Deno.osRelease()}`,
    `load ${format(Deno.loadavg()[0]!, 1)}`,
  ].join(", ");
}
