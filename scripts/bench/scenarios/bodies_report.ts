import { atLeast, atMost, type Findings } from "../findings.ts";
import { table } from "../markdown.ts";
import { format, quantile, spread } from "../measures/statistics.ts";

/** One round of one subject. */
export interface BodiesRound {
  downloadMiBPerSecond: number;
  uploadMiBPerSecond: number;
  /** Greatest resident memory of its server process. */
  peakMiB: number;
}

/** Everything that was measured. */
export interface BodiesResults {
  subjects: readonly { name: string; rounds: readonly BodiesRound[] }[];
  /** Which subject is what: `base` is what ratios compare with. */
  names: Record<"base" | "ours", string>;
  connections: number;
  rounds: number;
  seconds: number;
  /** Subjects that could not be measured, and why. */
  failures: readonly string[];
}

/** Of the first round's peak: more in the last and memory was not flat. */
const FLAT = 1.1;

/** A table of medians, spreads and ratios, and what they say about the promises. */
export function bodiesFindings(results: BodiesResults): Findings {
  const { subjects, names, connections, rounds, seconds, failures } = results;
  const roundsOf = (name: string) => subjects.find((subject) => subject.name === name)?.rounds ?? [];
  const ratio = (name: string, key: "downloadMiBPerSecond" | "uploadMiBPerSecond") =>
    quantile(roundsOf(name).map((round) => round[key]), 0.5) /
    quantile(roundsOf(names.base).map((round) => round[key]), 0.5);
  const rows = subjects.map(({ name, rounds }) => [
    name,
    spread(rounds.map((round) => round.downloadMiBPerSecond), 0),
    format(ratio(name, "downloadMiBPerSecond"), 2),
    spread(rounds.map((round) => round.uploadMiBPerSecond), 0),
    format(ratio(name, "uploadMiBPerSecond"), 2),
    name === names.ours ? spread(rounds.map(({ peakMiB }) => peakMiB), 0) : "",
  ]);
  const head = ["", "download MiB/s", "ratio", "upload MiB/s", "ratio", "server process, peak MiB RSS"];
  const ours = roundsOf(names.ours);
  const growth = (ours.at(-1)?.peakMiB ?? NaN) / (ours[0]?.peakMiB ?? NaN);
  const times = { limit: 0.6, unit: `× ${names.base}`, decimals: 2 };
  return {
    markdown: [
      "### Streamed bodies of 1 MiB: median of the rounds (least–greatest)",
      `${connections} connections, ${rounds} rounds of ${seconds} s each way; ratios to ${names.base}.`,
      table(head, rows),
      ...failures.map((failure) => `Not measured: ${failure}`),
    ].join("\n\n"),
    verdicts: [
      atLeast("1 MiB bodies, download", ratio(names.ours, "downloadMiBPerSecond"), times),
      atLeast("1 MiB bodies, upload", ratio(names.ours, "uploadMiBPerSecond"), times),
      atMost("memory of the server during that, last round", growth, {
        limit: FLAT,
        unit: "× first round",
        decimals: 2,
      }),
    ],
  };
}
