import { join } from "node:path";
import { connect } from "node:tls";
import type { BenchOptions, Findings } from "../findings.ts";
import { inParallel } from "../../in_parallel.ts";
import { untilQuiet } from "../measures/quiet.ts";
import { serverMemory } from "../measures/server_memory.ts";
import { makeCertificate } from "../subjects/certificate.ts";
import { freePort } from "../subjects/child.ts";
import { startIsolaServer } from "../subjects/isola_server.ts";
import {
  certificateFindings,
  type CertificateResults,
  type CertificateRound,
} from "./certificates_report.ts";

const NAMES = 1000;
const DOMAIN = "certificates.test";
/** Handshakes at once. */
const PARALLEL = 8;

/** A server with a certificate for each of 1,000 names, beside one with a wildcard: its start, and its memory once all were used. */
export async function benchCertificates({ rounds = 3, progress }: BenchOptions): Promise<Findings> {
  const directory = await Deno.makeTempDir({ prefix: "isola-bench-" });
  try {
    progress(`issue ${NAMES} certificates`);
    const names = Array.from({ length: NAMES }, (_, index) => `shop-${index}.${DOMAIN}`);
    const one = await configure(directory, [`*.${DOMAIN}`]);
    const many = await configure(directory, names);
    const results: { [Key in keyof CertificateResults]: CertificateRound[] } = { one: [], many: [] };
    for (let round = 1; round <= rounds; round++) {
      progress(`round ${round} of ${rounds}`);
      results.one.push(await measure(one, names));
      results.many.push(await measure(many, names));
    }
    return certificateFindings(results, NAMES);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Returns the path of a configuration with a certificate for each of the names. */
async function configure(directory: string, names: readonly string[]): Promise<string> {
  const folder = await Deno.makeTempDir({ dir: directory });
  const certificates = [];
  for (const [index, name] of names.entries()) {
    const own = join(folder, String(index));
    await Deno.mkdir(own);
    certificates.push(await makeCertificate(own, name));
  }
  const path = join(folder, "isola.yaml");
  await Deno.writeTextFile(path, JSON.stringify({ tls: { certificates } }));
  return path;
}

async function measure(config: string, names: readonly string[]): Promise<CertificateRound> {
  const dataDir = await Deno.makeTempDir({ prefix: "isola-bench-" });
  const port = freePort();
  try {
    const startedAt = performance.now();
    await using server = await startIsolaServer({
      dataDir,
      env: { ISOLA_CONFIG: config, ISOLA_HTTPS_ADDR: `127.0.0.1:${port}` },
    });
    const readyMs = performance.now() - startedAt;
    await untilQuiet([server.pid]);
    const { rssMiB } = await serverMemory(server.pid);
    await inParallel(names, PARALLEL, (name) => handshake(port, name));
    await untilQuiet([server.pid]);
    const { rssMiB: usedRssMiB } = await serverMemory(server.pid);
    return { readyMs, rssMiB, usedRssMiB };
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

function handshake(port: number, servername: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Who signed is not what is measured.
  const socket = connect(
    { host: "127.0.0.1", port, servername, rejectUnauthorized: false },
    () => socket.end(),
  );
  socket.on("error", reject).on("close", () => resolve()).resume();
  return promise;
}
