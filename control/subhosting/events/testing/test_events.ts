import type { Origin, SubhostingEvent } from "../../model.ts";

/** An origin of a test that is never called. */
export const ORIGIN: Origin = { subhosterId: "acme", rpcRoot: "https://origin.example/v0/" };

/** A line that a program printed, told as an event. */
export function logEvent(msg: string, executionId = "e1"): SubhostingEvent {
  return eventOf({ event_type: "log", event: { msg, level: "info" } }, executionId);
}

/** What an isolate used: so many requests. */
export function usageEvent(requests: number, executionId = "e1"): SubhostingEvent {
  const event = { requests, cpu_time: 1, uptime: 1, memory_bytes: 1, ingress_bytes: 0, egress_bytes: 0 };
  return eventOf({ event_type: "usage", event }, executionId);
}

function eventOf(
  payload: Pick<SubhostingEvent, "event_type" | "event">,
  executionId: string,
): SubhostingEvent {
  return {
    ...payload,
    deployment_id: "d1",
    timestamp: "2026-01-01T00:00:00.000Z",
    execution_id: executionId,
    region: "local",
    context: { event_id: crypto.randomUUID() },
  } as SubhostingEvent;
}

/** What an event says, in short. */
export function said({ event_type, event }: SubhostingEvent): string {
  if (event_type === "usage") return `usage ${event.requests}`;
  return event_type === "boot" ? `boot ${event.boot_time}` : `${event_type} ${event.msg}`;
}
