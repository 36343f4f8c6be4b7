import type { SandboxEndReason } from "../../../isolate/mod.ts";
import type { UsageDelta } from "../../usage/mod.ts";
import type { EventPayload } from "../model.ts";

/** Of what an event says; a program's lines are shorter anyway. */
export const MAX_MESSAGE_CHARACTERS = 4096;

const ORDERLY: ReadonlySet<SandboxEndReason> = new Set(["idle", "evicted", "retired", "shutdown"]);

/** Whether the server ended it for reasons of its own. */
export function isOrderly(reason: SandboxEndReason): boolean {
  return ORDERLY.has(reason);
}

/** What the end of an isolate is told as; `undefined` = as nothing, or its boot failed and that was told. */
export function endPayload(
  reason: SandboxEndReason,
  { msg, isUncaught, served }: { msg: string; isUncaught: boolean; served: boolean },
): EventPayload | undefined {
  if (reason === "memory_limit") return { event_type: "memoryLimit", event: { msg } };
  if (reason === "time_limit") return { event_type: "timeLimit", event: { msg } };
  if (!served || isOrderly(reason)) return undefined;
  if (reason === "exited") {
    return isUncaught ? { event_type: "uncaughtException", event: { msg } } : undefined;
  }
  return { event_type: "log", event: { msg, level: "error" } };
}

/** What was used, as it is billed. */
export function usagePayload(usage: UsageDelta): EventPayload {
  return {
    event_type: "usage",
    event: {
      requests: usage.requests,
      cpu_time: milliseconds(usage.cpuMs),
      uptime: milliseconds(usage.uptimeMs),
      memory_bytes: usage.memoryBytes,
      ingress_bytes: usage.ingressBytes,
      egress_bytes: usage.egressBytes,
    },
  };
}

/** To the microsecond, without the noise of floating point. */
function milliseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
