import { table } from "../markdown.ts";
import type { Latencies, Throughput } from "../measures/load.ts";
import { format, quantile, spread } from "../measures/statistics.ts";

/** What was measured of one subject, one entry a round. */
export interface LoadResults {
  name: string;
  throughput: Throughput[];
  /** Empty for one that cannot take the rate. */
  latencies: Latencies[];
}

/** Of one subject; NaN is what was not measured. */
export interface LoadMedians {
  requestsPerSecond: number;
  cpuMicrosPerRequest: number;
  p99Ms: number;
}

/** Of the rate: less than this and a subject has not kept up with it. */
const KEPT_UP = 0.98;

/** Medians, spreads and ratios to the subject `base`, one row for each subject; response times where there is a `rate`. */
export function loadTable(subjects: readonly LoadResults[], base: string, rate?: number): string {
  const baseMedians = loadMedians(subjects, base, rate);
  const rows = subjects.map(({ name, throughput, latencies }) => {
    const medians = loadMedians(subjects, name, rate);
    const time = (q: number) =>
      Number.isNaN(medians.p99Ms) ? "–" : spread(latencies.map((one) => quantile(one.latenciesMs, q)), 2);
    return [
      name,
      spread(throughput.map((one) => one.requestsPerSecond), 0),
      format(medians.requestsPerSecond / baseMedians.requestsPerSecond, 2),
      spread(throughput.map((one) => one.cpuMicrosPerRequest), 1),
      format(medians.cpuMicrosPerRequest / baseMedians.cpuMicrosPerRequest, 2),
      ...(rate === undefined ? [] : [time(0.5), time(0.99)]),
    ];
  });
  const head = ["", "requests/s", "ratio", "CPU µs/request", "ratio"];
  const times = rate === undefined ? [] : ["p50", "p99"].map((name) => `${name} ms at ${format(rate, 0)}/s`);
  return table([...head, ...times], rows);
}

/** The medians of the rounds of one subject. */
export function loadMedians(subjects: readonly LoadResults[], name: string, rate = NaN): LoadMedians {
  const { throughput, latencies } = subjects.find((subject) => subject.name === name) ??
    { throughput: [], latencies: [] };
  const keptUp = quantile(latencies.map((one) => one.requestsPerSecond), 0.5) >= rate * KEPT_UP;
  return {
    requestsPerSecond: quantile(throughput.map((one) => one.requestsPerSecond), 0.5),
    cpuMicrosPerRequest: quantile(throughput.map((one) => one.cpuMicrosPerRequest), 0.5),
    p99Ms: keptUp ? quantile(latencies.map((one) => quantile(one.latenciesMs, 0.99)), 0.5) : NaN,
  };
}
