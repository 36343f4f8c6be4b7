import type { IsolatePhase } from "./lifecycle_events.ts";

/** What the lifecycle knows of one isolate, or of a blank sandbox. */
export interface IsolateState {
  readonly id: string;
  phase: IsolatePhase;
  deploymentId?: string;
  readonly leases: Set<string>;
  /** When it was last seen in use: a lease taken or given back, or what a survey found. */
  lastUsedAt: number;
  /** A lessee said that it has requests in flight: not to be recalled again before. */
  busyUntil: number;
  /** Asked to come back, to make room or to retire; when to ask again. */
  recalledAt?: number;
  /** When to ask for its unfinished work (again). */
  askAt?: number;
  /** Leased since it was asked for its unfinished work: the answer says nothing about now. */
  usedSinceAsked: boolean;
  retireBy?: number;
}

/** Of an isolate that is about to be started. */
export function startingIsolate(id: string, now: number, deploymentId?: string): IsolateState {
  return {
    id,
    phase: "starting",
    deploymentId,
    leases: new Set(),
    lastUsedAt: now,
    busyUntil: 0,
    usedSinceAsked: false,
  };
}
