import { atMost, type Findings } from "../findings.ts";
import { table } from "../markdown.ts";
import { format, quantile, spread } from "../measures/statistics.ts";

/** Milliseconds from dialling (of `deno run`: from its start) to the first byte, one entry a round. */
export interface LargeResults {
  isolaMs: number[];
  /** With a code cache. */
  runMs: number[];
  /** Without. */
  firstRunMs: number[];
}

/** A table of medians and spreads, and what they say about the promise, by either kind of run. */
export function largeFindings(
  { isolaMs, runMs, firstRunMs }: LargeResults,
  { modules, bytes }: { modules: number; bytes: number },
): Findings {
  const base = quantile(runMs, 0.5);
  const times = (baseMs: readonly number[]) => quantile(isolaMs, 0.5) / quantile(baseMs, 0.5);
  const row = (name: string, valuesMs: readonly number[]) => [
    name,
    spread(valuesMs, 0),
    format(quantile(valuesMs, 0.5) / base, 2),
  ];
  return {
    markdown: [
      `### Cold start of ${modules} modules, ${
        format(bytes / 1e6, 0)
      } MB: ms to the first byte, median (least–greatest)`,
      table(["", "ms", "ratio"], [
        row("`deno run` of the bundle", runMs),
        row("the same with an empty cache", firstRunMs),
        row("Isola, a warm sandbox", isolaMs),
      ]),
    ].join("\n\n"),
    verdicts: [
      atMost("cold start, 20 MB", times(firstRunMs), {
        limit: 1,
        unit: "× `deno run`, empty cache",
        decimals: 2,
      }),
      atMost("cold start, 20 MB", times(runMs), { limit: 1, unit: "× `deno run`", decimals: 2 }),
    ],
  };
}
