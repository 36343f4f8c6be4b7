import { Contenders } from "../subjects/contenders.ts";
import type { BenchOptions, Findings } from "../findings.ts";
import { latencies, throughput } from "../measures/load.ts";
import { peersFindings } from "./peers_report.ts";
import { quantile } from "../measures/statistics.ts";
import { startDeno } from "../subjects/deno.ts";
import { startHttpWorker } from "../subjects/http_worker.ts";
import { startIsola } from "../subjects/isola.ts";
import { startNginx } from "../subjects/nginx.ts";
import { startWorkerd, startWorkerdLoader, startWorkerdRouter } from "../subjects/workerd.ts";

const NGINX = "nginx → `deno serve`";
const ISOLA = "Isola";
const ISOLA_2 = "Isola, 2 runners";
const ROUTER = "workerd, router worker";

/** Isola and its peers under the same load: a small answer, the headers of a browser, 32 connections. */
export async function benchPeers({ rounds = 5, seconds = 3, progress }: BenchOptions): Promise<Findings> {
  await using contenders = new Contenders(progress);
  await contenders.start("`deno serve`", startDeno);
  await contenders.start(NGINX, startNginx);
  const isola = await contenders.start(ISOLA, startIsola);
  await contenders.start(ISOLA_2, () => startIsola({ env: { ISOLA_RUNNERS: "2" } }));
  await contenders.start("workerd", startWorkerd);
  await contenders.start(ROUTER, startWorkerdRouter);
  await contenders.start("workerd, dynamic loader", startWorkerdLoader);
  await contenders.start("`@valtown/deno-http-worker`", startHttpWorker);

  await contenders.measure("warm-up", 1, (subject) => throughput(subject, 1)); // of caches and the JIT
  const loads = await contenders.measure("throughput", rounds, (subject) => throughput(subject, seconds));
  const requestsPerSecond = (name: string) =>
    quantile((loads.get(name) ?? []).map((load) => load.requestsPerSecond), 0.5);
  const rate = Math.round(requestsPerSecond(NGINX) / 2);
  const paced = await contenders.measure(
    `latency at ${rate}/s`,
    Number.isNaN(rate) ? 0 : rounds,
    // One that cannot take this rate would only keep the machine busy.
    async (subject, name) => requestsPerSecond(name) > rate ? await latencies(subject, rate, seconds) : null,
  );
  return peersFindings({
    subjects: [...loads].map(([name, throughput]) => ({
      name,
      throughput,
      latencies: (paced.get(name) ?? []).filter((one) => one !== null),
    })),
    names: { base: NGINX, ours: ISOLA, oursTwice: ISOLA_2, router: ROUTER },
    ...{ rate, rounds, seconds, level: isola?.level ?? "–", failures: contenders.failures },
  });
}
