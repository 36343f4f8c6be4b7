import { atMost, type Findings } from "../findings.ts";
import { loadMedians, type LoadResults, loadTable } from "./load_table.ts";

/** What was measured under one load. */
export interface TlsLoadResults {
  title: string;
  subjects: readonly LoadResults[];
  /** Whether the promise on the CPU of a request is about it. */
  isJudged: boolean;
  /** Requests a second at which response times were measured, if they were. */
  rate?: number;
}

/** Everything that was measured. */
export interface TlsResults {
  loads: readonly TlsLoadResults[];
  /** Which subject is what: `base` is what ratios compare with. */
  names: Record<"base" | "ours", string>;
  rounds: number;
  seconds: number;
  /** Of the sandbox. */
  level: string;
  /** Subjects that could not be measured, and why. */
  failures: readonly string[];
}

/** One table for each load, and what they say about the promises. */
export function tlsFindings({ loads, names, rounds, seconds, level, failures }: TlsResults): Findings {
  const target = { limit: 2.2, unit: `× ${names.base}`, decimals: 2 };
  const cpuRatio = ({ subjects }: TlsLoadResults) =>
    loadMedians(subjects, names.ours).cpuMicrosPerRequest /
    loadMedians(subjects, names.base).cpuMicrosPerRequest;
  return {
    markdown: [
      "### Over TLS: median of the rounds (least–greatest)",
      `TLS 1.3, 12 request headers, ${rounds} rounds of ${seconds} s; Isola at sandbox level \`${level}\`. CPU is that of all ` +
      `processes of a subject; ratios are to ${names.base}; "–": cannot take that rate, half of what ${names.base} can.`,
      ...loads.flatMap(({ title, subjects, rate }) => [`${title}:`, loadTable(subjects, names.base, rate)]),
      ...failures.map((failure) => `Not measured: ${failure}`),
    ].join("\n\n"),
    verdicts: loads.filter(({ isJudged }) => isJudged).map((load) =>
      atMost(`TLS, CPU per request: ${load.title}`, cpuRatio(load), target)
    ),
  };
}
