import { run } from "./run.ts";
import type { Subject, Transport } from "../subjects/subject.ts";

/** For what is not part of the load, and how much longer a subject that does not keep up with a rate may take. */
const GRACE_MS = 10_000;

/** Who sends requests, and which. */
export interface H2loadOptions {
  transport: Transport;
  connections: number;
  /** Of each connection, under way at once. @default {1} */
  streams?: number;
  /** "Name: value", besides Host. */
  headers?: readonly string[];
  /** @default {"/"} */
  path?: string;
}

/** A number of requests. */
export interface H2loadCountOptions extends H2loadOptions {
  requests: number;
  /** Of each connection. Not set: the next one follows the answer. */
  requestsPerSecond?: number;
}

/** One that was answered. */
export interface Answer {
  /** In µs since 1970. */
  startedAtMicros: number;
  /** To the end of the response. */
  latencyMs: number;
}

/** What became of a number of requests. */
export interface H2loadCount {
  /** One for each request. */
  answers: Answer[];
  /** From the first connection to the last answer. */
  elapsedSeconds: number;
}

/** As many requests as get answered in a time. Throws when one failed or was not answered with 2xx. */
export async function h2loadFor(
  subject: Destination,
  seconds: number,
  options: H2loadOptions,
): Promise<{ requests: number; requestsPerSecond: number }> {
  const output = await load(subject, options, ["-D", `${seconds}`], seconds * 1000 + GRACE_MS);
  const requests = succeeded(output);
  return { requests, requestsPerSecond: requests / seconds };
}

/** A number of requests, each with its time. Throws when one failed or was not answered with 2xx. */
export async function h2loadCount(subject: Destination, options: H2loadCountOptions): Promise<H2loadCount> {
  const { requests, requestsPerSecond, connections } = options;
  const seconds = requestsPerSecond === undefined ? 0 : requests / connections / requestsPerSecond;
  const log = await Deno.makeTempFile();
  try {
    const pace = requestsPerSecond === undefined ? [] : [`--rps=${requestsPerSecond}`];
    const amount = [`-n${requests}`, ...pace, `--log-file=${log}`];
    const output = await load(subject, options, amount, seconds * 1000 + GRACE_MS);
    return { answers: read(await Deno.readTextFile(log)), elapsedSeconds: elapsedSeconds(output) };
  } finally {
    await Deno.remove(log);
  }
}

/** Throws unless a request is answered with 2xx. */
export async function answers(subject: Destination, transport: Transport): Promise<void> {
  await h2loadCount(subject, { transport, connections: 1, requests: 1 });
}

type Destination = Pick<Subject, "port" | "tlsPort" | "host">;

async function load(
  { port, tlsPort, host }: Destination,
  { transport, connections, streams = 1, headers = [], path = "/" }: H2loadOptions,
  amount: readonly string[],
  timeoutMs: number,
): Promise<string> {
  const to = transport === "http" ? port : tlsPort;
  const output = await run("h2load", [
    ...["-t1", `-c${connections}`, `-m${streams}`, ...amount, `--connect-to=127.0.0.1:${to}`],
    ...(transport === "h2" ? [] : ["--h1"]),
    ...headers.flatMap((header) => ["-H", header]),
    `${transport === "http" ? "http" : "https"}://${host.split(":", 1)[0]}:${to}${path}`,
  ], timeoutMs);
  // Requests that the end of the time cut off are in none of these.
  const done = Number(/(\d+) done/.exec(output)?.[1]);
  const lost = /[1-9]\d* (failed|errored|timeout)/.exec(output);
  if (done === 0 || lost || succeeded(output) !== done) {
    throw new Error(`Cannot load "${host}": ${/^requests: .*\nstatus codes: .*$/m.exec(output)?.[0]}`);
  }
  return output;
}

function succeeded(output: string): number {
  return Number(/^status codes: (\d+) 2xx/m.exec(output)?.[1]);
}

/** As in "finished in 175.13ms, …"; from a minute on it would be "1m15s". */
function elapsedSeconds(output: string): number {
  const [, value, unit] = /^finished in ([\d.]+)(us|ms|s),/m.exec(output) ?? [];
  return Number(value) / ({ us: 1e6, ms: 1e3, s: 1 }[unit ?? ""] ?? NaN);
}

/** h2load's log: start in µs since 1970, status, µs to the end of the response (h2load(1), --log-file). */
function read(log: string): Answer[] {
  return log.trim().split("\n").map((row) => {
    const [startedAtMicros, , micros] = row.split("\t").map(Number) as [number, number, number];
    return { startedAtMicros, latencyMs: micros / 1000 };
  });
}
