import type { SandboxEndReason } from "../../isolate/mod.ts";
import type { ErrorCode } from "../../runner/mod.ts";
import type { Breach } from "./watch.ts";

const MIB = 1024 ** 2;

/** What visitors are told of ends that have a code of their own. */
const CODES: Partial<Record<SandboxEndReason, ErrorCode>> = {
  memory_limit: "MEMORY_LIMIT",
  time_limit: "TIME_LIMIT",
  boot_failure: "BOOT_FAILURE",
  boot_timeout: "BOOT_TIMEOUT",
};

/** What visitors are told of an isolate's end. */
export function endCode(reason: SandboxEndReason, booting: boolean): ErrorCode {
  return CODES[reason] ?? (booting ? "BOOT_FAILURE" : "ISOLATE_CRASHED");
}

/** Whether it used more than it may: {@linkcode endLine} says what. */
export function isLimit(reason: SandboxEndReason): boolean {
  return reason === "memory_limit" || reason === "time_limit";
}

/** What an isolate used, from its program's start to its end. */
export interface Used {
  cpuMs: number;
  memoryBytes: number;
  uptimeMs: number;
  requests: number;
}

/**
 * The line in a deployment's log about an isolate that exceeded a limit. Without `breach` it got no more memory from the
 * system, of the `memoryMb` that it may have.
 */
export function endLine(breach: Breach | undefined, used: Used, memoryMb: number): string {
  const code = breach === undefined || breach.limit === "memoryMb" ? "MEMORY_LIMIT" : "TIME_LIMIT";
  const memory = `${round(used.memoryBytes / MIB)} MiB`;
  const spent = [
    `CPU ${round(used.cpuMs)} ms`,
    ...(code === "TIME_LIMIT" ? [`memory ${memory}`] : []),
    `up ${round(used.uptimeMs / 1_000)} s`,
    `${round(used.requests)} request${used.requests === 1 ? "" : "s"}`,
  ];
  const cause = breach === undefined
    ? `no more memory at ${memory} of ${round(memoryMb)} MiB`
    : causeOf(breach);
  return `The isolate was ended: ${code} (${cause}; ${spent.join(", ")})`;
}

function causeOf({ limit, used, allowed }: Breach): string {
  // Rounded up, so that it never looks like less than the limit.
  const [is, may] = [round(Math.ceil(used)), round(allowed)];
  switch (limit) {
    case "memoryMb":
      return `memory ${is} MiB of ${may} MiB`;
    case "cpuBlockMs":
      return `event loop held for ${is} ms of ${may} ms`;
    case "cpuMsPerRequest":
      return `CPU per request ${is} ms of ${may} ms`;
  }
}

function round(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
