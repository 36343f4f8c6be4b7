import { atMost, type Findings } from "../findings.ts";
import { table } from "../markdown.ts";
import { quantile, spread } from "../measures/statistics.ts";

/** One server from its start to the last of its handshakes. */
export interface CertificateRound {
  /** From the start of the process to `/healthz`. */
  readyMs: number;
  /** Resident, of the server's process: started, and after a handshake for each name. */
  rssMiB: number;
  usedRssMiB: number;
}

/** Servers with one certificate for all names, and with one for each. */
export interface CertificateResults {
  one: readonly CertificateRound[];
  many: readonly CertificateRound[];
}

/** What issue and README promise of many certificates, as the difference to one for the same names and handshakes. */
export function certificateFindings({ one, many }: CertificateResults, names: number): Findings {
  const count = names.toLocaleString("en-US");
  const of = (rounds: readonly CertificateRound[], key: keyof CertificateRound) =>
    rounds.map((round) => round[key]);
  const median = (rounds: readonly CertificateRound[], key: keyof CertificateRound) =>
    quantile(of(rounds, key), 0.5);
  const row = (label: string, key: keyof CertificateRound) => [
    label,
    spread(of(one, key), 0),
    spread(of(many, key), 0),
  ];
  const usedMiB = median(many, "usedRssMiB") - median(one, "usedRssMiB");
  return {
    markdown: [
      `### ${count} certificates, each in files of its own: median (least–greatest)`,
      table(["", "one wildcard", count], [
        row("start to `/healthz`, ms", "readyMs"),
        row("server process after that, MiB RSS", "rssMiB"),
        row(`the same after a handshake for each of ${count} names`, "usedRssMiB"),
      ]),
    ].join("\n\n"),
    verdicts: [
      atMost(`start with ${count} certificates`, median(many, "readyMs"), {
        limit: 2000,
        unit: "ms",
        decimals: 0,
      }),
      atMost(`${count} certificates that are used, beside one`, usedMiB, {
        limit: 64,
        unit: "MiB",
        decimals: 0,
      }),
    ],
  };
}
