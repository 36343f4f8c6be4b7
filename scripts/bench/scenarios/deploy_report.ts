import { atMost, type Findings } from "../findings.ts";
import { table } from "../markdown.ts";
import { quantile, spread } from "../measures/statistics.ts";

/** Of one small app, one entry a round. */
export interface DeployTimes {
  name: string;
  /** The whole command `isola deploy`. */
  deployMs: readonly number[];
  /** In `isola dev`, from a save to the new answer. */
  devMs: readonly number[];
}

/** A table of medians and spreads, and what they say about the promises. */
export function deployFindings(times: readonly DeployTimes[]): Findings {
  const rows = times.map(({ name, deployMs, devMs }) => [name, spread(deployMs, 0), spread(devMs, 0)]);
  const ms = (limit: number) => ({ limit, unit: "ms", decimals: 0 });
  return {
    markdown: [
      "### Deploying a change of a small app: ms, median (least–greatest)",
      table(["", "`isola deploy`, whole command", "`isola dev`, save to new answer"], rows),
    ].join("\n\n"),
    verdicts: times.flatMap(({ name, deployMs, devMs }) => [
      atMost(`\`isola deploy\`, ${name}`, quantile(deployMs, 0.5), ms(1000)),
      atMost(`save to new answer, ${name}`, quantile(devMs, 0.5), ms(300)),
    ]),
  };
}
