import { cpuMs } from "./cpu.ts";
import { run } from "./run.ts";
import type { Subject } from "../subjects/subject.ts";
import { wrk } from "./wrk.ts";

/** With Host, twelve request headers: what a browser sends. */
const HEADERS = [
  "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "accept-encoding: gzip, deflate, br, zstd",
  "accept-language: en-GB,en;q=0.9",
  "cache-control: no-cache",
  "cookie: session=5b1f0c7e9d2a4c60; theme=dark",
  "referer: https://example.com/",
  "sec-fetch-dest: document",
  "sec-fetch-mode: navigate",
  "sec-fetch-site: same-origin",
  "upgrade-insecure-requests: 1",
  "user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
];
const CONNECTIONS = 32;
/** How much longer a subject that does not keep up may take for all requests of a fixed rate. */
const GRACE_MS = 10_000;

/** What one subject did under closed-loop load. */
export interface Throughput {
  requestsPerSecond: number;
  /** User and system time of all its processes. */
  cpuMicrosPerRequest: number;
}

/** Response times at a fixed rate. */
export interface Latencies {
  /** Of every request. */
  latenciesMs: number[];
  /** Less than what was asked for when the subject could not keep up. */
  requestsPerSecond: number;
}

/** As many requests as 32 connections can get answered. Throws when any of them failed. */
export async function throughput(subject: Subject, seconds: number): Promise<Throughput> {
  const cpuBeforeMs = cpuMs(subject.pids);
  const load = { threads: 2, connections: CONNECTIONS, seconds, headers: HEADERS };
  const { requests, requestsPerSecond } = await wrk(subject, load);
  const cpuUsedMs = cpuMs(subject.pids) - cpuBeforeMs;
  return { requestsPerSecond, cpuMicrosPerRequest: cpuUsedMs * 1000 / requests };
}

/** At a fixed rate over 32 connections. Throws when a request failed. */
export async function latencies(subject: Subject, rate: number, seconds: number): Promise<Latencies> {
  const perConnection = Math.max(1, Math.round(rate / CONNECTIONS));
  const log = await Deno.makeTempFile();
  try {
    await run("h2load", [
      ...["--h1", "-t1", `-c${CONNECTIONS}`],
      ...[`-n${perConnection * CONNECTIONS * seconds}`, `--rps=${perConnection}`],
      ...[`--connect-to=127.0.0.1:${subject.port}`, `--log-file=${log}`],
      ...HEADERS.flatMap((header) => ["-H", header]),
      `http://${subject.host.split(":", 1)[0]}:${subject.port}/`,
    ], seconds * 1000 + GRACE_MS);
    return read(await Deno.readTextFile(log), subject.host);
  } finally {
    await Deno.remove(log);
  }
}

/** h2load's log: start in µs since 1970, status, µs to the end of the response (h2load(1), --log-file). */
function read(log: string, host: string): Latencies {
  const rows = log.trim().split("\n").map((row) => row.split("\t").map(Number));
  const failed = rows.filter(([, status]) => status !== 200).length;
  if (failed > 0) throw new Error(`Cannot load "${host}": ${failed} of ${rows.length} requests failed`);
  let [first, last] = [Infinity, -Infinity];
  for (const [startedAt] of rows) {
    first = Math.min(first, startedAt!);
    last = Math.max(last, startedAt!);
  }
  return {
    latenciesMs: rows.map(([, , micros]) => micros! / 1000),
    requestsPerSecond: rows.length / (last - first) * 1e6,
  };
}
