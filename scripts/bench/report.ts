import type { Throughput } from "./load.ts";
import { format, quantile, spread } from "./statistics.ts";

/** What was measured of one subject, one entry a round. */
export interface SubjectResults {
  name: string;
  throughput: Throughput[];
  /** Of every request of every round, in ms. */
  latenciesMs: number[];
}

/** Everything that the report prints. The first subject is what the ratios compare with. */
export interface Results {
  subjects: SubjectResults[];
  latencyRate: number;
  /** Name → one entry a cold start, in ms. */
  coldStartsMs: Record<string, number[]>;
}

/** The results as Markdown tables: medians, spreads and ratios. */
export function report({ subjects, latencyRate, coldStartsMs }: Results): string {
  const median = (of: SubjectResults, key: keyof Throughput) =>
    quantile(of.throughput.map((round) => round[key]), 0.5);
  const base = subjects[0]!;
  const load = subjects.map((subject) => {
    const requests = median(subject, "requestsPerSecond");
    const cpu = median(subject, "cpuMicrosPerRequest");
    return row(
      subject.name,
      spread(subject.throughput.map((round) => round.requestsPerSecond), 0),
      format(requests / median(base, "requestsPerSecond"), 2),
      spread(subject.throughput.map((round) => round.cpuMicrosPerRequest), 1),
      format(cpu / median(base, "cpuMicrosPerRequest"), 2),
      format(quantile(subject.latenciesMs, 0.5), 2),
      format(quantile(subject.latenciesMs, 0.99), 2),
    );
  });
  const cold = Object.entries(coldStartsMs).map(([name, values]) =>
    row(name, format(values.length, 0), ...[0.5, 0.9, 0.99, 1].map((q) => format(quantile(values, q), 1)))
  );
  const rate = format(latencyRate, 0);
  return [
    "### Under load: median of the rounds (least–greatest)",
    row("", "requests/s", "ratio", "CPU µs/request", "ratio", `p50 ms at ${rate}/s`, `p99 ms at ${rate}/s`),
    ruler(7),
    ...load,
    "",
    "### Cold start: first request to first byte, ms",
    row("", "n", "p50", "p90", "p99", "max"),
    ruler(6),
    ...cold,
  ].join("\n");
}

function row(...cells: string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function ruler(columns: number): string {
  return row("---", ...Array.from({ length: columns - 1 }, () => "---:"));
}
