import { run } from "./run.ts";
import type { Subject } from "../subjects/subject.ts";

/** For what is not part of the load: wrk waits up to 2 s for an answer. */
const GRACE_MS = 10_000;

/** A load of as many requests as the connections can get answered. */
export interface WrkOptions {
  threads: number;
  connections: number;
  seconds: number;
  /** "Name: value", besides Host. */
  headers?: readonly string[];
  /** The requests are POST with so long a body. Not set: GET. */
  bodyBytes?: number;
  /** @default {false} */
  tls?: boolean;
}

/** What wrk counted. */
export interface WrkResult {
  requests: number;
  requestsPerSecond: number;
}

/** The name in the URL is what TLS asks for (SNI). No resolver needs to know it: every load is on this machine. */
const RESOLVE = `
local resolve = wrk.resolve
function wrk.resolve(_, service) resolve("127.0.0.1", service) end
`;

/** Throws when a request failed or was not answered with 2xx. */
export async function wrk(subject: Subject, options: WrkOptions): Promise<WrkResult> {
  const { threads, connections, seconds, headers = [], bodyBytes, tls = false } = options;
  const script = await Deno.makeTempFile({ suffix: ".lua" });
  try {
    const post = `wrk.method = "POST"\nwrk.body = ("0"):rep(${bodyBytes})\n`;
    await Deno.writeTextFile(script, RESOLVE + (bodyBytes === undefined ? "" : post));
    const output = await run("wrk", [
      ...[`-t${threads}`, `-c${connections}`, `-d${seconds}s`, "-s", script],
      ...[`Host: ${subject.host}`, ...subject.headers ?? [], ...headers].flatMap((header) => ["-H", header]),
      tls ? `https://${subject.host}:${subject.tlsPort}/` : `http://127.0.0.1:${subject.port}/`,
    ], seconds * 1000 + GRACE_MS);
    const failed = /Non-2xx.*|Socket errors.*/.exec(output);
    if (failed) throw new Error(`Cannot load "${subject.host}": ${failed[0]}`);
    return {
      requests: Number(/(\d+) requests in/.exec(output)?.[1]),
      requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]),
    };
  } finally {
    await Deno.remove(script);
  }
}
