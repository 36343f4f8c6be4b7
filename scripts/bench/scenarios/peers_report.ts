import { atLeast, atMost, type Findings, type Verdict } from "../findings.ts";
import { type LoadMedians, loadMedians, type LoadResults, loadTable } from "./load_table.ts";

/** Everything that was measured. */
export interface PeersResults {
  subjects: readonly LoadResults[];
  /** Which subject is what: `base` is what ratios compare with. */
  names: Record<"base" | "ours" | "oursTwice" | "router", string>;
  /** Requests a second at which latencies were measured. */
  rate: number;
  rounds: number;
  seconds: number;
  /** Of the sandbox. */
  level: string;
  /** Subjects that could not be measured, and why. */
  failures: readonly string[];
}

/** A table of medians, spreads and ratios, and what they say about the promises. */
export function peersFindings(results: PeersResults): Findings {
  const { subjects, names, rate, rounds, seconds, level, failures } = results;
  const base = loadMedians(subjects, names.base, rate);
  return {
    markdown: [
      "### Under load: median of the rounds (least–greatest)",
      `32 connections, 12 request headers, ${rounds} rounds of ${seconds} s; Isola at sandbox level \`${level}\`. CPU is that ` +
      `of all its processes; ratios are to ${names.base}; "–": cannot take that rate, half of what ${names.base} can.`,
      loadTable(subjects, names.base, rate),
      ...failures.map((failure) => `Not measured: ${failure}`),
    ].join("\n\n"),
    verdicts: verdicts(results, base),
  };
}

function verdicts({ subjects, names, rate }: PeersResults, base: LoadMedians): Verdict[] {
  const [ours, twice, router] = [names.ours, names.oursTwice, names.router].map((name) =>
    loadMedians(subjects, name, rate)
  ) as [LoadMedians, LoadMedians, LoadMedians];
  const times = (unit: string, limit: number) => ({ limit, unit: `× ${unit}`, decimals: 2 });
  return [
    atMost(
      "CPU per request, 12 headers, small body",
      ours.cpuMicrosPerRequest / base.cpuMicrosPerRequest,
      times(names.base, 1.8),
    ),
    atLeast(
      "requests/s, 32 connections, one runner",
      ours.requestsPerSecond / base.requestsPerSecond,
      times(names.base, 0.65),
    ),
    atLeast(
      "requests/s, 32 connections, one runner",
      ours.requestsPerSecond / router.requestsPerSecond,
      times(names.router, 4),
    ),
    atMost(
      `99th percentile at half of ${names.base}'s load`,
      ours.p99Ms / base.p99Ms,
      times(names.base, 2),
    ),
    atLeast(
      "requests/s with `ISOLA_RUNNERS=2`",
      twice.requestsPerSecond / ours.requestsPerSecond,
      times("one runner", 1),
    ),
  ];
}
