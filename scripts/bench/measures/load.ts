import { cpuMs } from "./cpu.ts";
import { type H2loadCount, h2loadCount, h2loadFor } from "./h2load.ts";
import type { Subject, Transport } from "../subjects/subject.ts";
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
/** First visits are made so many at once. */
const FIRST_VISITS = 100;

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
export function throughput(
  subject: Subject,
  seconds: number,
  transport: Exclude<Transport, "h2"> = "http",
): Promise<Throughput> {
  const load = { threads: 2, connections: CONNECTIONS, seconds, headers: HEADERS };
  return withCpu(subject, () => wrk(subject, { ...load, tls: transport === "https" }));
}

/** As many requests as connections of HTTP/2 can get answered, each with `streams` at once. Throws when any of them failed. */
export function multiplexedThroughput(
  subject: Subject,
  seconds: number,
  { connections, streams }: { connections: number; streams: number },
): Promise<Throughput> {
  const load = { transport: "h2", connections, streams, headers: HEADERS } as const;
  return withCpu(subject, () => h2loadFor(subject, seconds, load));
}

/**
 * A TLS 1.3 connection for each request, closed after its answer. `new`: without a session, a hundred at once again and again.
 * `resumed`: by a session ticket, 32 at a time; wrk resumes the session that its connection had before.
 */
export function handshakes(
  subject: Subject,
  seconds: number,
  session: "new" | "resumed",
): Promise<Throughput> {
  if (session === "new") return withCpu(subject, () => firstVisits(subject, seconds));
  const headers = [...HEADERS, "connection: close"];
  const load = { threads: 2, connections: CONNECTIONS, seconds, headers, tls: true };
  return withCpu(subject, () => wrk(subject, load));
}

/** At a fixed rate over 32 connections. Throws when a request failed. */
export async function latencies(
  subject: Subject,
  rate: number,
  seconds: number,
  transport: Transport = "http",
): Promise<Latencies> {
  const requestsPerSecond = Math.max(1, Math.round(rate / CONNECTIONS));
  const requests = requestsPerSecond * CONNECTIONS * seconds;
  const load = { transport, connections: CONNECTIONS, headers: HEADERS, requests, requestsPerSecond };
  return latenciesOf(await h2loadCount(subject, load));
}

/** h2load's clients never know a session of one another. */
async function firstVisits(subject: Subject, seconds: number) {
  const load = { transport: "https", connections: FIRST_VISITS, headers: HEADERS } as const;
  let [requests, elapsedSeconds] = [0, 0];
  while (elapsedSeconds < seconds) {
    elapsedSeconds += (await h2loadCount(subject, { ...load, requests: FIRST_VISITS })).elapsedSeconds;
    requests += FIRST_VISITS;
  }
  return { requests, requestsPerSecond: requests / elapsedSeconds };
}

async function withCpu(
  { pids }: Subject,
  load: () => Promise<{ requests: number; requestsPerSecond: number }>,
): Promise<Throughput> {
  const cpuBeforeMs = cpuMs(pids);
  const { requests, requestsPerSecond } = await load();
  return { requestsPerSecond, cpuMicrosPerRequest: (cpuMs(pids) - cpuBeforeMs) * 1000 / requests };
}

function latenciesOf({ answers }: H2loadCount): Latencies {
  let [first, last] = [Infinity, -Infinity];
  for (const { startedAtMicros } of answers) {
    first = Math.min(first, startedAtMicros);
    last = Math.max(last, startedAtMicros);
  }
  return {
    latenciesMs: answers.map(({ latencyMs }) => latencyMs),
    requestsPerSecond: answers.length / (last - first) * 1e6,
  };
}
