import { until } from "../subjects/child.ts";
import { cpuMs } from "../measures/cpu.ts";
import type { BenchOptions, Findings } from "../findings.ts";
import { GOOD_APP, type Neighbour, neighbours } from "./apps.ts";
import { endedSince, type NeighbourResults, type NeighbourRound, report } from "./report.ts";
import type { VisitPlan, Visits } from "./visitors.ts";
import { quantile } from "../measures/statistics.ts";
import { type IsolaSubject, startIsola } from "../subjects/isola.ts";

/** Far below what one isolate can answer. */
const GOOD_REQUESTS_PER_SECOND = 500;
const BAD_REQUESTS_PER_SECOND = 50;
const MAX_GOOD_IN_FLIGHT = 1000;
const MAX_BAD_IN_FLIGHT = 32;
const GOOD_GRACE_MS = 5_000;
/** Some never get an answer. */
const BAD_GRACE_MS = 100;
/** How long the bad one is at it before the good one is measured, and after. */
const LEAD_SECONDS = 0.5;
/** CPU time is counted in ticks of 10 ms: fewer than two in this time mean that builds and starts are done. */
const QUIET_MS = 200;
const QUIET_CPU_MS = 20;
const VISITORS = new URL("./visitors.ts", import.meta.url).pathname;

/**
 * What a good tenant's visitors notice of a bad one on the same server, as Markdown. Scenarios are interleaved, and each
 * round begins and ends with nobody beside the good one. The bad one is deployed anew each time, so that it is not held back for
 * how often it died in the round before.
 */
export async function benchNeighbours(
  { rounds = 3, seconds = 3, progress }: BenchOptions,
): Promise<Findings> {
  await using isola = await startIsola();
  await using good = await isola.deployProgram(GOOD_APP);
  const results: NeighbourResults[] = neighbours().map(({ name }) => ({ name, rounds: [] }));
  await runRound(isola, good.host, 0, seconds); // warms caches and the JIT
  for (let round = 1; round <= rounds; round++) {
    for (const index of [...results.keys(), 0]) {
      const { name, rounds: measured } = results[index]!;
      progress(`neighbours, round ${round} of ${rounds}, ${name}`);
      measured.push(await runRound(isola, good.host, index, seconds));
    }
  }
  const { level } = isola;
  const markdown = report({ results, level, requestsPerSecond: GOOD_REQUESTS_PER_SECOND, seconds });
  return { markdown, verdicts: [] };
}

async function runRound(
  isola: IsolaSubject,
  goodHost: string,
  index: number,
  seconds: number,
): Promise<NeighbourRound> {
  const { source, badFromMs = 0 } = neighbours()[index] as Neighbour;
  await using bad = source === undefined ? undefined : await isola.deployProgram(source);
  await until("the server to have nothing to do", () => quiet(isola, badFromMs));
  const before = await isola.metrics();
  const [good, others] = await Promise.all([
    visitGood(isola.port, goodHost, seconds),
    bad && visitBad(isola.port, bad.host, seconds),
  ]);
  const { "200": _good, ...failures } = good.outcomes;
  return {
    p50: quantile(good.latenciesMs, 0.5),
    p99: quantile(good.latenciesMs, 0.99),
    max: quantile(good.latenciesMs, 1),
    sentLateP99: quantile(good.delaysMs, 0.99),
    failures,
    badOutcomes: others?.outcomes ?? {},
    ended: endedSince(before, await isola.metrics()),
  };
}

async function visitGood(port: number, host: string, seconds: number): Promise<Visits> {
  await new Promise((resolve) => setTimeout(resolve, LEAD_SECONDS * 1000));
  const bounds = { maxInFlight: MAX_GOOD_IN_FLIGHT, graceMs: GOOD_GRACE_MS };
  return visit({ port, host, requestsPerSecond: GOOD_REQUESTS_PER_SECOND, seconds, ...bounds }, 0);
}

/** At the lowest priority: on other machines, its visitors would not take what the server needs. */
function visitBad(port: number, host: string, goodSeconds: number): Promise<Visits> {
  const seconds = goodSeconds + 2 * LEAD_SECONDS;
  const bounds = { maxInFlight: MAX_BAD_IN_FLIGHT, graceMs: BAD_GRACE_MS };
  return visit({ port, host, requestsPerSecond: BAD_REQUESTS_PER_SECOND, seconds, ...bounds }, 19);
}

async function quiet(isola: IsolaSubject, notBeforeMs: number): Promise<void> {
  const before = cpuMs(isola.pids);
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  if (Date.now() < notBeforeMs || cpuMs(isola.pids) - before >= QUIET_CPU_MS) {
    throw new Error("Isola is still working");
  }
}

async function visit(plan: VisitPlan, niceness: number): Promise<Visits> {
  const args = ["-n", `${niceness}`, Deno.execPath(), "run", "-A", VISITORS, JSON.stringify(plan)];
  const { success, stdout, stderr } = await new Deno.Command("nice", { args }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot visit "${plan.host}": ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout));
}
