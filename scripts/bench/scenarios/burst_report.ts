import { atMost, type Findings } from "../findings.ts";
import { table } from "../markdown.ts";
import { format, quantile } from "../measures/statistics.ts";

/** Milliseconds from dialling (of a bare sandbox: from its start) to the first byte. */
export interface BurstResults {
  /** One at a time, the pool being empty. */
  emptyMs: readonly number[];
  /** One sandbox at a time, started by hand. */
  bareMs: readonly number[];
  /** All asked for at once. */
  burstMs: readonly number[];
  cores: number;
}

/** Starts side by side disturb each other's caches, and something has to share the cores out. */
const SHARING = 1.2;

/** A table of quantiles, and what they say about the promises. */
export function burstFindings({ emptyMs, bareMs, burstMs, cores }: BurstResults): Findings {
  const startMs = quantile(emptyMs, 0.5);
  const requiredMs = burstMs.length * startMs / cores;
  const row = (name: string, valuesMs: readonly number[]) => [
    name,
    `${valuesMs.length}`,
    ...[0.5, 0.95, 1].map((q) => format(quantile(valuesMs, q), 1)),
  ];
  const times = (limit: number, unit: string) => ({ limit, unit: `× ${unit}`, decimals: 2 });
  return {
    markdown: [
      "### Cold start without a warm sandbox, ms",
      table(["", "n", "p50", "p95", "max"], [
        row("bubblewrap, `deno run`, Worker", bareMs),
        row("Isola, the pool empty", emptyMs),
        row(`Isola, ${burstMs.length} at once`, burstMs),
      ]),
      `${burstMs.length} starts of ${format(startMs, 1)} ms on ${cores} cores: ${format(requiredMs, 0)} ms.`,
    ].join("\n\n"),
    verdicts: [
      atMost(
        "cold start, empty pool",
        startMs / quantile(bareMs, 0.5),
        times(1.5, "bubblewrap + deno + Worker"),
      ),
      atMost(
        `${burstMs.length} at once, the last`,
        quantile(burstMs, 1) / requiredMs,
        times(SHARING, "what the cores require"),
      ),
    ],
  };
}
