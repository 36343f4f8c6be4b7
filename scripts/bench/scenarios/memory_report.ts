import { atMost, type Findings } from "../findings.ts";
import { table } from "../markdown.ts";
import { format, quantile, spread } from "../measures/statistics.ts";

/** Private dirty memory of one more idle isolate, one entry a round. */
export type IdleMebibytes = Readonly<Record<"process" | "shared", readonly number[]>>;

/** How it was measured. */
export interface IdleConditions {
  isolates: number;
  /** That each has answered. */
  requests: number;
  restMs: number;
}

/** A table of medians and spreads, and what they say about the promises. */
export function memoryFindings(
  { process, shared }: IdleMebibytes,
  { isolates, requests, restMs }: IdleConditions,
): Findings {
  const mebibytes = (limit: number) => ({ limit, unit: "MiB", decimals: 1 });
  return {
    markdown: [
      "### Memory of an idle isolate: private dirty, all its processes, MiB",
      `Mean of ${isolates} after ${requests} requests each and ${format(restMs / 1000, 0)} s of rest.`,
      table(["", "median (least–greatest)"], [
        ["a process of its own", spread(process, 1)],
        ["`ISOLA_ISOLATION=shared`", spread(shared, 1)],
      ]),
    ].join("\n\n"),
    verdicts: [
      atMost("idle isolate", quantile(process, 0.5), mebibytes(16)),
      atMost("idle isolate, shared", quantile(shared, 0.5), mebibytes(7)),
    ],
  };
}
