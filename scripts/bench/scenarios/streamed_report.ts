import { atMost, type Findings } from "../findings.ts";
import { table } from "../markdown.ts";
import { format, quantile } from "../measures/statistics.ts";
import type { Transport } from "../subjects/subject.ts";

/** One kind of streamed response. */
export interface StreamedShape {
  transport: Transport;
  kilobytes: number;
  /** Whether it says `Content-Length` beforehand. */
  hasLength: boolean;
}

/** What its responses took, each to its end. */
export interface StreamedTimes extends StreamedShape {
  latenciesMs: readonly number[];
}

/** Everything that was measured. */
export interface StreamedResults {
  /** In `times` is one entry for each shape and round. */
  subjects: readonly { name: string; times: readonly StreamedTimes[] }[];
  /** Which subject is Isola. */
  ours: string;
  rounds: number;
  requests: number;
  /** Subjects that could not be measured, and why. */
  failures: readonly string[];
}

/** Far above what a response on this machine takes, far below what a delayed acknowledgement does. */
const PROMPT_MS = 5;

const TITLES: Readonly<Record<Transport, string>> = {
  http: "HTTP/1.1",
  https: "HTTP/1.1, TLS",
  h2: "HTTP/2, TLS",
};

/** A table with a row for each subject and transport, and whether ours lets no response wait. */
export function streamedFindings(results: StreamedResults): Findings {
  const { subjects, ours, rounds, requests, failures } = results;
  const transports = Object.keys(TITLES) as Transport[];
  const columns = columnsOf(subjects.flatMap(({ times }) => times));
  const rows = subjects.flatMap(({ name, times }) =>
    transports.map((transport) => [
      `${name}: ${TITLES[transport]}`,
      ...columns.map((column) => {
        const taken = takenMs(times, { transport, ...column });
        return `${format(quantile(taken, 0.5), 2)} / ${format(quantile(taken, 0.99), 2)}`;
      }),
    ])
  );
  const head = columns.map(({ kilobytes, hasLength }) => `${kilobytes} KB${hasLength ? ", length" : ""}`);
  const ourTimes = subjects.find(({ name }) => name === ours)?.times ?? [];
  return {
    markdown: [
      "### Streamed responses: p50 / p99, ms",
      `Written by the app in four writes, without \`Content-Length\` and with it; one connection, ${rounds} rounds of ${requests} ` +
      "requests, each after the answer to the one before.",
      table(["", ...head], rows),
      ...failures.map((failure) => `Not measured: ${failure}`),
    ].join("\n\n"),
    verdicts: transports.map((transport) => {
      const mediansMs = columns.map((column) => quantile(takenMs(ourTimes, { transport, ...column }), 0.5));
      const target = { limit: PROMPT_MS, unit: "ms", decimals: 2 };
      return atMost(`streamed, ${TITLES[transport]}: p50 of the slowest size`, greatest(mediansMs), target);
    }),
  };
}

type Column = Omit<StreamedShape, "transport">;

/** Each once, in the order of the measurement. */
function columnsOf(times: readonly StreamedTimes[]): Column[] {
  const columns = new Map<string, Column>();
  for (const { kilobytes, hasLength } of times) {
    columns.set(`${kilobytes} ${hasLength}`, { kilobytes, hasLength });
  }
  return [...columns.values()];
}

function takenMs(times: readonly StreamedTimes[], shape: StreamedShape): number[] {
  return times.filter((one) =>
    one.transport === shape.transport && one.kilobytes === shape.kilobytes &&
    one.hasLength === shape.hasLength
  ).flatMap(({ latenciesMs }) => latenciesMs);
}

/** NaN of no values, and if one is. */
function greatest(values: readonly number[]): number {
  return values.length === 0 ? NaN : Math.max(...values);
}
