import { atMost, type Findings } from "../findings.ts";
import { table } from "../markdown.ts";
import { format, quantile, spread } from "../measures/statistics.ts";

/** What is done with a million log lines. */
export type LogReading = "none" | "export" | "search";

/** How others fared meanwhile. */
export interface DisturbanceTimes {
  reading: LogReading;
  elapsedMs: number;
  /** From dialling to the first byte, of requests whose isolate had to be started. */
  coldMs: readonly number[];
  /** Of `/healthz`, which the thread that starts isolates answers. */
  healthMs: readonly number[];
}

const TITLES: Readonly<Record<LogReading, string>> = {
  none: "nobody reads",
  export: "one exports them",
  search: "four search them for what is not there",
};

/** A table of what was felt, and whether that is as good as nothing. */
export function logFindings(times: readonly DisturbanceTimes[]): Findings {
  const rows = times.map(({ reading, elapsedMs, coldMs, healthMs }) => [
    TITLES[reading],
    format(elapsedMs / 1000, 1),
    spread(coldMs, 1),
    format(quantile(healthMs, 0.5), 1),
    format(quantile(healthMs, 0.99), 1),
  ]);
  const quiet = times.find(({ reading }) => reading === "none");
  return {
    markdown: [
      "### A million log lines of one deployment: others meanwhile, ms",
      table(["", "s", "cold start, median (least–greatest)", "control thread, median", "99 %"], rows),
    ].join("\n\n"),
    verdicts: times.filter(({ reading }) => reading !== "none").map(({ reading, coldMs }) =>
      atMost(
        `cold start while of a million log lines ${TITLES[reading]}`,
        quantile(coldMs, 0.5) / quantile(quiet?.coldMs ?? [], 0.5),
        { limit: 2, unit: "× quiet", decimals: 1 },
      )
    ),
  };
}
