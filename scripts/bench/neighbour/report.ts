import { table } from "../markdown.ts";
import { format, quantile, spread } from "../measures/statistics.ts";

/** What was measured of one scenario. */
export interface NeighbourResults {
  name: string;
  rounds: NeighbourRound[];
}

/** One round: latencies are the good tenant's, in ms. */
export interface NeighbourRound {
  p50: number;
  p99: number;
  max: number;
  /** 99th percentile of how late requests were sent: what of the latency the client adds. */
  sentLateP99: number;
  /** What the good tenant's visitors got instead of 200 → how often. */
  failures: Record<string, number>;
  /** What the bad one's visitors got → how often. */
  badOutcomes: Record<string, number>;
  /** Why isolates ended → how many. */
  ended: Record<string, number>;
}

/** Everything that the report prints. */
export interface NeighbourReport {
  /** The first is what the others are compared with. */
  results: readonly NeighbourResults[];
  /** Of the sandbox. */
  level: string;
  requestsPerSecond: number;
  seconds: number;
}

/** Ends which are no failure of the isolate. */
const PEACEFUL: readonly string[] = ["idle", "retired", "evicted", "stopped"];

/** A table as Markdown: medians of the rounds. */
export function report({ results, level, requestsPerSecond, seconds }: NeighbourReport): string {
  const median = ({ rounds }: NeighbourResults, key: "p50" | "p99" | "max" | "sentLateP99") =>
    quantile(rounds.map((round) => round[key]), 0.5);
  const alone = results[0]!;
  const rows = results.map((result) => [
    result.name,
    format(median(result, "p50"), 2),
    format(median(result, "p50") / median(alone, "p50"), 2),
    spread(result.rounds.map(({ p99 }) => p99), 2),
    format(median(result, "p99") / median(alone, "p99"), 2),
    format(median(result, "max"), 1),
    format(median(result, "sentLateP99"), 2),
    counts(result.rounds.map(({ failures }) => failures)) || "0",
    counts(result.rounds.map(({ ended }) => ended)),
    counts(result.rounds.map(({ badOutcomes }) => badOutcomes)),
  ]);
  const head = [
    "beside one that",
    ...["p50 ms", "ratio", "p99 ms", "ratio", "max ms", "sent late, p99 ms", "errors"],
    ...["its isolates ended", "its visitors got"],
  ];
  return [
    `### A good tenant's latency at ${requestsPerSecond}/s, rounds of ${seconds} s, sandbox level \`${level}\``,
    table(head, rows, [0, 8, 9]),
  ].join("\n\n");
}

/** How many isolates failed between two texts of `/metrics`, by reason. */
export function endedSince(before: string, after: string): Record<string, number> {
  const ended: Record<string, number> = {};
  const endedBefore = endedTotals(before);
  for (const [reason, total] of endedTotals(after)) {
    const count = total - (endedBefore.get(reason) ?? 0);
    if (count > 0 && !PEACEFUL.includes(reason)) ended[reason] = count;
  }
  return ended;
}

function endedTotals(metrics: string): Map<string, number> {
  const samples = metrics.matchAll(/^isola_isolates_ended_total\{reason="(\w+)"\} (\d+)$/gm);
  return new Map(samples.map(([, reason, count]) => [reason!, Number(count)]));
}

/** Of all rounds together, the most frequent first. */
function counts(rounds: readonly Record<string, number>[]): string {
  const totals = new Map<string, number>();
  for (const round of rounds) {
    for (const [what, count] of Object.entries(round)) totals.set(what, (totals.get(what) ?? 0) + count);
  }
  return [...totals].sort(([, a], [, b]) => b - a).map(([what, count]) => `${count} × ${what}`).join(", ");
}
