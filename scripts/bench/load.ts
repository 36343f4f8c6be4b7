import { cpuMs } from "./cpu.ts";
import type { Subject } from "./subject.ts";

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

/** What one subject did under closed-loop load. */
export interface Throughput {
  requestsPerSecond: number;
  /** User and system time of all its processes. */
  cpuMicrosPerRequest: number;
}

/** As many requests as 32 connections can get answered. Throws when any of them failed. */
export async function throughput(subject: Subject, seconds: number): Promise<Throughput> {
  const headers = [`Host: ${subject.host}`, ...HEADERS].flatMap((header) => ["-H", header]);
  const cpuBeforeMs = cpuMs(subject.pids);
  const output = await run("wrk", [
    "-t2",
    "-c32",
    `-d${seconds}s`,
    ...headers,
    `http://127.0.0.1:${subject.port}/`,
  ]);
  const cpuUsedMs = cpuMs(subject.pids) - cpuBeforeMs;
  const failed = /Non-2xx.*|Socket errors.*/.exec(output);
  if (failed) throw new Error(`Cannot measure "${subject.name}": ${failed[0]}`);
  const requests = Number(/(\d+) requests in/.exec(output)?.[1]);
  const requestsPerSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  return { requestsPerSecond, cpuMicrosPerRequest: cpuUsedMs * 1000 / requests };
}

/** Response times in ms, sorted, at a fixed rate over 32 connections. Throws when a request failed. */
export async function latenciesMs(
  subject: Subject,
  requestsPerSecond: number,
  seconds: number,
): Promise<number[]> {
  const connections = 32;
  const perConnection = Math.max(1, Math.round(requestsPerSecond / connections));
  const log = await Deno.makeTempFile();
  try {
    await run("h2load", [
      ...[
        "--h1",
        "-t1",
        `-c${connections}`,
        `-n${perConnection * connections * seconds}`,
        `--rps=${perConnection}`,
      ],
      ...[`--connect-to=127.0.0.1:${subject.port}`, `--log-file=${log}`],
      ...HEADERS.flatMap((header) => ["-H", header]),
      `http://${subject.host.split(":", 1)[0]}:${subject.port}/`,
    ]);
    const rows = (await Deno.readTextFile(log)).trim().split("\n").map((row) => row.split("\t"));
    const failed = rows.filter(([, status]) => status !== "200").length;
    if (failed > 0) {
      throw new Error(`Cannot measure "${subject.name}": ${failed} of ${rows.length} requests failed`);
    }
    return rows.map(([, , micros]) => Number(micros) / 1000).sort((a, b) => a - b);
  } finally {
    await Deno.remove(log);
  }
}

async function run(program: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot run "${program}": ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
