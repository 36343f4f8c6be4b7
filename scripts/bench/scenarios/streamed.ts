import { Contenders } from "../subjects/contenders.ts";
import type { BenchOptions, Findings } from "../findings.ts";
import { h2loadCount } from "../measures/h2load.ts";
import { startDenoTls } from "../subjects/deno_tls.ts";
import { startIsola } from "../subjects/isola.ts";
import { startNginx } from "../subjects/nginx.ts";
import { streamedFindings, type StreamedShape, type StreamedTimes } from "./streamed_report.ts";
import { STREAMED_APP, type Subject, type Transport } from "../subjects/subject.ts";

const ISOLA = "Isola";
const TRANSPORTS: readonly Transport[] = ["http", "https", "h2"];
const SIZES_KB = [1, 20, 100];
/** One after the other, of each shape in each round. */
const REQUESTS = 50;

/**
 * How long a response takes whose app writes it bit by bit. A server that lets a small write wait for the acknowledgement of the one
 * before (Nagle) takes 44 ms: the visitor's kernel delays that one.
 */
export async function benchStreamed({ rounds = 3, progress }: BenchOptions): Promise<Findings> {
  await using contenders = new Contenders(progress);
  await contenders.start("`Deno.serve`", () => startDenoTls(STREAMED_APP));
  await contenders.start("nginx → `deno serve`", () => startNginx({ app: STREAMED_APP, tls: true }));
  await contenders.start(ISOLA, () => startIsola({ app: STREAMED_APP, tls: true }));
  await contenders.measure("warm-up", 1, (subject) => everyShape(subject, 10));
  const found = await contenders.measure("streams", rounds, (subject) => everyShape(subject, REQUESTS));
  return streamedFindings({
    subjects: [...found].map(([name, rounds]) => ({ name, times: rounds.flat() })),
    ...{ ours: ISOLA, rounds, requests: REQUESTS, failures: contenders.failures },
  });
}

async function everyShape(subject: Subject, requests: number): Promise<StreamedTimes[]> {
  const found: StreamedTimes[] = [];
  for (const shape of shapes()) {
    const path = `/${shape.kilobytes * 1024}${shape.hasLength ? "/length" : ""}`;
    const load = { transport: shape.transport, connections: 1, requests, path };
    const { answers } = await h2loadCount(subject, load);
    found.push({ ...shape, latenciesMs: answers.map(({ latencyMs }) => latencyMs) });
  }
  return found;
}

function shapes(): StreamedShape[] {
  return TRANSPORTS.flatMap((transport) =>
    SIZES_KB.flatMap((kilobytes) => [false, true].map((hasLength) => ({ transport, kilobytes, hasLength })))
  );
}
