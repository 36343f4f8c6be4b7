import type { SandboxEnd, SandboxEndReason } from "../../isolate/mod.ts";
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

/** Ends that the server did not ask for, of which the program's own output may say nothing. */
const UNASKED: ReadonlySet<SandboxEndReason> = new Set(["crashed", "protocol"]);

/** What an isolate used, from its program's start to its end. */
export interface Used {
  cpuMs: number;
  memoryBytes: number;
  uptimeMs: number;
  requests: number;
}

/** What is to be known of an isolate whose end is told. */
export interface Ended {
  used: Used;
  /** What it may use. */
  memoryMb: number;
  breach?: Breach;
}

/** The line in a deployment's log about the end of an isolate, if there is something to say. */
export function endLine({ reason, detail }: SandboxEnd, ended: Ended): string | undefined {
  if (isLimit(reason)) return limitLine(ended);
  return UNASKED.has(reason) ? `The isolate ended: ${reason} (${detail})` : undefined;
}

/**
 * About an isolate that exceeded a limit. Without `breach` it died of memory by itself, between two measurements, because
 * it may have `memoryMb` and no more.
 */
export function limitLine({ used, memoryMb, breach }: Ended): string {
  const code = breach === undefined || breach.limit === "memoryMb" ? "MEMORY_LIMIT" : "TIME_LIMIT";
  const memory = `${round(used.memoryBytes / MIB)} MiB`;
  const spent = [
    `CPU ${round(used.cpuMs)} ms`,
    ...(code === "TIME_LIMIT" ? [`memory ${memory}`] : []),
    `up ${round(used.uptimeMs / 1_000)} s`,
    `${round(used.requests)} request${used.requests === 1 ? "" : "s"}`,
  ];
  const cause = breach === undefined
    ? `memory past ${round(memoryMb)} MiB, last measured ${memory}`
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
