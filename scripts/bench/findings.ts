import { table } from "./markdown.ts";
import { format } from "./measures/statistics.ts";

/** How much a benchmark measures; what is not set is for it to choose. */
export interface BenchOptions {
  rounds?: number;
  /** Of each measurement in each round. */
  seconds?: number;
  progress(text: string): void;
}

/** What a benchmark found out. */
export interface Findings {
  markdown: string;
  verdicts: Verdict[];
}

/** Whether a figure is what Isola promises. */
export interface Verdict {
  figure: string;
  target: string;
  measured: string;
  met: boolean;
}

/** What a figure is compared with. */
export interface Target {
  limit: number;
  /** As in "ms" or "× nginx". */
  unit: string;
  decimals: number;
}

/** The verdict on a figure of which less is better; NaN, which was not measured, is not met. */
export function atMost(figure: string, value: number, { limit, unit, decimals }: Target): Verdict {
  return {
    figure,
    target: `≤ ${format(limit, decimals)} ${unit}`,
    measured: measured(value, unit, decimals),
    met: value <= limit,
  };
}

/** The verdict on a figure of which more is better; NaN, which was not measured, is not met. */
export function atLeast(figure: string, value: number, { limit, unit, decimals }: Target): Verdict {
  return {
    figure,
    target: `≥ ${format(limit, decimals)} ${unit}`,
    measured: measured(value, unit, decimals),
    met: value >= limit,
  };
}

/** One row for each. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ figure, target, measured, met }) => [
    figure,
    target,
    measured,
    met ? "met" : "**not met**",
  ]);
  return table(["figure", "target", "measured", ""], rows, [0, 3]);
}

function measured(value: number, unit: string, decimals: number): string {
  return Number.isNaN(value) ? "–" : `${format(value, decimals)} ${unit}`;
}
