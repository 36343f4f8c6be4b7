/**
 * Visitors who come at a fixed rate, whatever happens to those before them (an open loop): `deno run -A
 * neighbour_visitors.ts PLAN`, with a {@linkcode VisitPlan} as JSON; prints {@linkcode Visits} as JSON. A process of its
 * own, so that nothing else holds up its clock.
 */
import { VisitorConnection } from "./connection.ts";
import type { Pace } from "./pacer.ts";

/** Who asks for what how often. */
export interface VisitPlan {
  port: number;
  host: string;
  requestsPerSecond: number;
  seconds: number;
  /** Visits at a time; those beyond are `not sent`. */
  maxInFlight: number;
  /** How long to wait for the last answers; what is missing then is `unanswered`. */
  graceMs: number;
}

/** What they found. */
export interface Visits {
  /** Status, code of the data plane, or what went wrong → how many. */
  outcomes: Record<string, number>;
  /** From when each request answered with 200 was due, not from when it was sent, to the end of its answer. */
  latenciesMs: number[];
  /** How long after it was due each request was sent: the share of the client in its latency. */
  delaysMs: number[];
}

const START_IN_MS = 20;

if (import.meta.main) {
  console.log(JSON.stringify(await visitAll(JSON.parse(Deno.args[0]!))));
  Deno.exit(); // Connections may be waiting for an answer.
}

async function visitAll({ port, host, requestsPerSecond, seconds, maxInFlight, graceMs }: VisitPlan) {
  const found: Visits = { outcomes: {}, latenciesMs: [], delaysMs: [] };
  const idle: VisitorConnection[] = [];
  let inFlight = 0;
  const count = (outcome: string) => found.outcomes[outcome] = (found.outcomes[outcome] ?? 0) + 1;
  const visit = async (dueAtMs: number) => {
    if (inFlight === maxInFlight) return count("not sent");
    inFlight++;
    try {
      const connection = idle.pop() ?? await VisitorConnection.open(port, host);
      found.delaysMs.push(now() - dueAtMs);
      const outcome = await connection.get();
      if (outcome === "200") found.latenciesMs.push(now() - dueAtMs);
      count(outcome);
      idle.push(connection);
    } catch (error) {
      count((error as Error).message);
    } finally {
      inFlight--;
    }
  };
  const intervalMs = 1000 / requestsPerSecond;
  await paced({ startAtMs: now() + START_IN_MS, intervalMs, visits: requestsPerSecond * seconds }, visit);
  const deadlineMs = now() + graceMs;
  while (inFlight > 0 && now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 1));
  if (inFlight > 0) found.outcomes.unanswered = inFlight;
  return found;
}

/** Calls `visit` when each is due, and resolves when the last was. */
async function paced(pace: Pace, visit: (dueAtMs: number) => unknown): Promise<void> {
  const pacer = new Worker(new URL("./pacer.ts", import.meta.url), { type: "module" });
  const done = Promise.withResolvers<void>();
  let visits = 0;
  pacer.onmessage = ({ data }: MessageEvent<number>) => {
    void visit(data);
    if (++visits === pace.visits) done.resolve();
  };
  pacer.postMessage(pace);
  await done.promise;
  pacer.terminate();
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
