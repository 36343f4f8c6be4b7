import { atLeast, atMost, type Findings, type Verdict } from "../findings.ts";
import type { Latencies, Throughput } from "../measures/load.ts";
import { table } from "../markdown.ts";
import { format, quantile, spread } from "../measures/statistics.ts";

/** What was measured of one subject, one entry a round. */
export interface PeerResults {
  name: string;
  throughput: Throughput[];
  /** Empty for one that cannot take the rate. */
  latencies: Latencies[];
}

/** Everything that was measured. */
export interface PeersResults {
  subjects: readonly PeerResults[];
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

/** Medians of one subject; NaN is what was not measured. */
interface Medians {
  requestsPerSecond: number;
  cpuMicrosPerRequest: number;
  p99Ms: number;
}

/** Of the rate: less than this and a subject has not kept up with it. */
const KEPT_UP = 0.98;

/** A table of medians, spreads and ratios, and what they say about the promises. */
export function peersFindings(results: PeersResults): Findings {
  const { subjects, names, rate, rounds, seconds, level, failures } = results;
  const base = mediansOf(subjects, names.base, rate);
  const rows = subjects.map(({ name, throughput, latencies }) => {
    const medians = mediansOf(subjects, name, rate);
    const keptUp = !Number.isNaN(medians.p99Ms);
    return [
      name,
      spread(throughput.map((one) => one.requestsPerSecond), 0),
      format(medians.requestsPerSecond / base.requestsPerSecond, 2),
      spread(throughput.map((one) => one.cpuMicrosPerRequest), 1),
      format(medians.cpuMicrosPerRequest / base.cpuMicrosPerRequest, 2),
      keptUp ? spread(latencies.map((one) => quantile(one.latenciesMs, 0.5)), 2) : "–",
      keptUp ? spread(latencies.map((one) => quantile(one.latenciesMs, 0.99)), 2) : "–",
    ];
  });
  const at = `ms at ${format(rate, 0)}/s`;
  const head = ["", "requests/s", "ratio", "CPU µs/request", "ratio", `p50 ${at}`, `p99 ${at}`];
  return {
    markdown: [
      "### Under load: median of the rounds (least–greatest)",
      `32 connections, 12 request headers, ${rounds} rounds of ${seconds} s; Isola at sandbox level \`${level}\`. CPU is that ` +
      `of all its processes; ratios are to ${names.base}; "–": cannot take that rate, half of what ${names.base} can.`,
      table(head, rows),
      ...failures.map((failure) => `Not measured: ${failure}`),
    ].join("\n\n"),
    verdicts: verdicts(results, base),
  };
}

function verdicts({ subjects, names, rate }: PeersResults, base: Medians): Verdict[] {
  const [ours, twice, router] = [names.ours, names.oursTwice, names.router].map((name) =>
    mediansOf(subjects, name, rate)
  ) as [Medians, Medians, Medians];
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

function mediansOf(subjects: readonly PeerResults[], name: string, rate: number): Medians {
  const { throughput, latencies } = subjects.find((subject) => subject.name === name) ??
    { throughput: [], latencies: [] };
  const keptUp = quantile(latencies.map((one) => one.requestsPerSecond), 0.5) >= rate * KEPT_UP;
  return {
    requestsPerSecond: quantile(throughput.map((one) => one.requestsPerSecond), 0.5),
    cpuMicrosPerRequest: quantile(throughput.map((one) => one.cpuMicrosPerRequest), 0.5),
    p99Ms: keptUp ? quantile(latencies.map((one) => quantile(one.latenciesMs, 0.99)), 0.5) : NaN,
  };
}
