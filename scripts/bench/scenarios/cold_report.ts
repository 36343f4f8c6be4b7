import { atMost, type Findings, type Target } from "../findings.ts";
import { table } from "../markdown.ts";
import { format, quantile } from "../measures/statistics.ts";

/** Milliseconds from dialling to the first byte, of each start. */
export interface ColdResults {
  /** On Isola. */
  hello: number[];
  /** On Isola. */
  hono: number[];
  /** The hello app by workerd's loader. */
  workerd: number[];
}

/** A table of quantiles, and what they say about the promises; `level` is the sandbox's. */
export function coldFindings({ hello, hono, workerd }: ColdResults, level: string): Findings {
  const base = quantile(workerd, 0.5);
  const times = (limit: number): Target => ({ limit, unit: "× workerd's loader", decimals: 2 });
  return {
    markdown: [
      "### Cold start: dialling to first byte, ms",
      `${hello.length} rounds in turns, each start of something never started before, sandbox level \`${level}\`.`,
      table(["", "p50", "ratio", "p90", "p95", "ratio", "max"], [
        coldRow("workerd's loader, hello", workerd, workerd),
        coldRow("Isola, a warm sandbox, hello", hello, workerd),
        coldRow("Isola, a warm sandbox, hono", hono, workerd),
      ]),
    ].join("\n\n"),
    verdicts: [
      atMost("cold start, hello, p50", quantile(hello, 0.5) / base, times(1)),
      atMost("cold start, hello, p95", quantile(hello, 0.95) / quantile(workerd, 0.95), times(2)),
      atMost("cold start, hono, p50", quantile(hono, 0.5) / base, times(2)),
    ],
  };
}

function coldRow(name: string, valuesMs: readonly number[], baseMs: readonly number[]): string[] {
  const ratio = (q: number) => format(quantile(valuesMs, q) / quantile(baseMs, q), 2);
  const at = (q: number) => format(quantile(valuesMs, q), 2);
  return [name, at(0.5), ratio(0.5), at(0.9), at(0.95), ratio(0.95), at(1)];
}
