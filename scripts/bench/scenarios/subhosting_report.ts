import { atMost, type Findings } from "../findings.ts";
import { table } from "../markdown.ts";
import type { Throughput } from "../measures/load.ts";
import { format, quantile } from "../measures/statistics.ts";

/** Milliseconds from dialling to the first byte, of each start of one program. */
export interface SubhostedStarts {
  /** As an ordinary deployment. */
  ordinary: number[];
  /** Fetched by an earlier server, which kept it. */
  kept: number[];
  /** Never seen before: its origin is asked. */
  first: number[];
  /** What the origin takes for that, asked by itself. */
  rpc: number[];
}

/** Everything that was measured. */
export interface SubhostingResults {
  hello: SubhostedStarts;
  hono: SubhostedStarts;
  /** Of one live isolate, in each round. */
  ordinary: readonly Throughput[];
  relayed: readonly Throughput[];
}

/** Tables of starts and of throughput, and what they say about the promises; `level` is the sandbox's. */
export function subhostingFindings(results: SubhostingResults, level: string): Findings {
  const { hello, hono, ordinary, relayed } = results;
  const rps = (all: readonly Throughput[]) => median(all.map(({ requestsPerSecond }) => requestsPerSecond));
  const cpu = (all: readonly Throughput[]) => median(all.map((one) => one.cpuMicrosPerRequest));
  const requestsRow = (name: string, all: readonly Throughput[]) => [
    name,
    format(rps(all), 0),
    format(rps(all) / rps(ordinary), 2),
    format(cpu(all), 1),
    format(cpu(all) / cpu(ordinary), 2),
  ];
  return {
    markdown: [
      "### Subhosting: cold start, dialling to first byte, ms",
      `${hello.kept.length} rounds in turns, each start of something never started by this server, level \`${level}\`; ` +
      "`first` without the time of the origin's own answer, which is the last column.",
      table(["", "ordinary p50", "kept p50", "ratio", "p95", "first p50", "origin p50"], [
        startsRow("hello", hello),
        startsRow("hono", hono),
      ]),
      "### Subhosting: requests with a token that is used again",
      table(["", "requests/s", "ratio", "CPU µs a request", "ratio"], [
        requestsRow("ordinary", ordinary),
        requestsRow("through a relay's token", relayed),
      ]),
    ].join("\n\n"),
    verdicts: [
      atMost("kept hello, p50", median(hello.kept) / median(hello.ordinary), times("an ordinary one", 1.5)),
      atMost("kept hono, p50", median(hono.kept) / median(hono.ordinary), times("an ordinary one", 1.5)),
      atMost("CPU of a relay's request", cpu(relayed) / cpu(ordinary), times("an ordinary one", 1.3)),
    ],
  };
}

function startsRow(name: string, { ordinary, kept, first, rpc }: SubhostedStarts): string[] {
  return [
    name,
    format(median(ordinary), 2),
    format(median(kept), 2),
    format(median(kept) / median(ordinary), 2),
    format(quantile(kept, 0.95), 2),
    format(median(first) - median(rpc), 2),
    format(median(rpc), 2),
  ];
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function times(what: string, limit: number) {
  return { limit, unit: `× ${what}`, decimals: 2 };
}
