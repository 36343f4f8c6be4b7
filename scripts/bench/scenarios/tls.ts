import { Contenders } from "../subjects/contenders.ts";
import type { BenchOptions, Findings } from "../findings.ts";
import {
  handshakes,
  type Latencies,
  latencies,
  multiplexedThroughput,
  type Throughput,
  throughput,
} from "../measures/load.ts";
import { quantile } from "../measures/statistics.ts";
import { startDenoTls } from "../subjects/deno_tls.ts";
import { startIsola } from "../subjects/isola.ts";
import { startNginx } from "../subjects/nginx.ts";
import type { Subject, Transport } from "../subjects/subject.ts";
import { tlsFindings, type TlsLoadResults } from "./tls_report.ts";

const NGINX = "nginx → `deno serve`";
const ISOLA = "Isola";

interface TlsLoad {
  title: string;
  run(subject: Subject, seconds: number): Promise<Throughput>;
  /** Response times are measured over it, at half of what nginx can. */
  pacedOver?: Transport;
  /** Whether the promise on the CPU of a request is about it. */
  isJudged: boolean;
}

const LOADS: readonly TlsLoad[] = [
  {
    title: "HTTP/1.1, 32 connections",
    run: (subject, seconds) => throughput(subject, seconds, "https"),
    pacedOver: "https",
    isJudged: true,
  },
  {
    title: "HTTP/2, 32 connections of 1 stream",
    run: (subject, seconds) => multiplexedThroughput(subject, seconds, { connections: 32, streams: 1 }),
    pacedOver: "h2",
    isJudged: true,
  },
  {
    title: "HTTP/2, 8 connections of 16 streams",
    run: (subject, seconds) => multiplexedThroughput(subject, seconds, { connections: 8, streams: 16 }),
    isJudged: true,
  },
  {
    title: "Handshakes without a session: one request on each of 100 connections at once",
    run: (subject, seconds) => handshakes(subject, seconds, "new"),
    isJudged: false,
  },
  {
    title: "Handshakes that resume a session by a ticket: 32 connections, one request on each",
    run: (subject, seconds) => handshakes(subject, seconds, "resumed"),
    isJudged: false,
  },
];

/** Isola's front and its peers over TLS 1.3, with the same app, the headers of a browser and a key on P-256. */
export async function benchTls({ rounds = 3, seconds = 2, progress }: BenchOptions): Promise<Findings> {
  await using contenders = new Contenders(progress);
  await contenders.start("`Deno.serve`", startDenoTls);
  await contenders.start(NGINX, () => startNginx({ tls: true }));
  const isola = await contenders.start(ISOLA, () => startIsola({ tls: true }));
  await contenders.start("Isola, 2 runners", () => startIsola({ tls: true, env: { ISOLA_RUNNERS: "2" } }));
  for (const { title, run } of LOADS.slice(0, 2)) { // of caches and the JIT
    await contenders.measure(`warm-up: ${title}`, 1, (subject) => run(subject, 1));
  }
  const loads: TlsLoadResults[] = [];
  for (const load of LOADS) loads.push(await measure(load, contenders, { rounds, seconds }));
  const names = { base: NGINX, ours: ISOLA };
  return tlsFindings({
    ...{ loads, names, rounds, seconds },
    ...{ level: isola?.level ?? "–", failures: contenders.failures },
  });
}

async function measure(
  { title, run, pacedOver, isJudged }: TlsLoad,
  contenders: Contenders,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<TlsLoadResults> {
  const found = await contenders.measure(title, rounds, (subject) => run(subject, seconds));
  const requestsPerSecond = (name: string) =>
    quantile((found.get(name) ?? []).map((load) => load.requestsPerSecond), 0.5);
  const rate = pacedOver && Math.round(requestsPerSecond(NGINX) / 2);
  let paced: Map<string, (Latencies | null)[]> = new Map();
  if (pacedOver && rate) {
    paced = await contenders.measure(
      `${title}, latency at ${rate}/s`,
      rounds,
      // One that cannot take this rate would only keep the machine busy.
      async (subject, name) =>
        requestsPerSecond(name) > rate ? await latencies(subject, rate, seconds, pacedOver) : null,
    );
  }
  const subjects = [...found].map(([name, throughput]) => ({
    ...{ name, throughput },
    latencies: (paced.get(name) ?? []).filter((one) => one !== null),
  }));
  return { title, subjects, isJudged, rate };
}
