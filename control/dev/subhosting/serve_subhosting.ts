import { join } from "node:path";
import { CliError } from "../../cli/cli_error.ts";
import type { RunningServer } from "../../cli/run_cli.ts";
import { printable, type Terminal } from "../../cli/terminal.ts";
import type { Address } from "../../config/config.ts";
import type { SubhosterConfig } from "../../subhosting/model.ts";
import { urlHost } from "../../http/url_host.ts";
import { FolderChanges } from "../folder_changes.ts";
import { DenoProgram } from "./deno_program.ts";
import { VersionedHostnames } from "./versioned_hostnames.ts";

/** Any free port: only the server calls it. */
const ORIGIN_URL = "http://127.0.0.1:0/v0/";
const SUBHOSTER_ID = "example";
const SECRET_BYTES = 32;
/** Settings of relay and origin: examples/subhosting/README.md. */
const ENV_NAMES = [
  "DEPLOYMENTS",
  "HOSTNAMES",
  "INGRESS_URL",
  "NEXT_SECRET",
  "ORIGIN_URL",
  "RELAY_URL",
  "SHARED_SECRET",
  "SUBHOSTER_ID",
];

/** How {@linkcode serveSubhosting} serves. */
export interface SubhostingOptions {
  terminal: Terminal;
  /** Ends the serving. */
  signal: AbortSignal;
  /** Where the relay listens; port 0 = any free one. */
  relayAddr: Address;
  /** Starts the server that stands between relay and origin. */
  startServer(subhoster: SubhosterConfig): Promise<RunningServer>;
}

/**
 * Runs a server between the relay and the origin of a folder (without links in its path) until `signal` is aborted. What is
 * saved there is another deployment.
 *
 * @throws {CliError} one of them does not start, or ends
 */
export async function serveSubhosting(folder: string, options: SubhostingOptions): Promise<void> {
  const { terminal, signal } = options;
  await using started = new AsyncDisposableStack();
  const stateDir = await Deno.makeTempDir({ prefix: "isola-dev-" });
  started.defer(() => Deno.remove(stateDir, { recursive: true }));
  const changes = started.use(new FolderChanges(folder));
  signal.addEventListener("abort", () => changes.close(), { once: true });
  const hostnames = new VersionedHostnames(folder, join(stateDir, "hostnames.json"));
  const ids = await hostnames.update(signal);
  const secret = crypto.getRandomValues(new Uint8Array(SECRET_BYTES)).toHex();
  const programs = { folder, secret, terminal };
  const origin = started.use(await startOrigin(programs));
  const server = await options.startServer(subhosterFor(origin, secret));
  started.defer(() => server.close());
  const urls = {
    relay: `http://${authority(options.relayAddr)}/`,
    ingress: `http://${authority(server.http)}/`,
    origin: origin.url,
  };
  const relay = started.use(await startRelay({ ...programs, urls, hostnamesFile: hostnames.file }));
  terminal.note(`Serving ${folder} through ${relay.url}; control API on ${server.controlUrl}`, "bold");
  for (const hostname of ids.keys()) {
    terminal.print(`http://${hostname}:${new URL(relay.url).port}/`, "cyan");
  }
  const endings = [ending("relay", relay, signal), ending("origin", origin, signal)];
  await Promise.race([followSaves(changes, hostnames, options), ...endings]);
}

interface Programs {
  folder: string;
  /** Theirs and the server's. */
  secret: string;
  terminal: Terminal;
}

function startOrigin({ folder, secret, terminal }: Programs): Promise<DenoProgram> {
  const deployments = join(folder, "deployments");
  return DenoProgram.start(join(folder, "origin.ts"), {
    net: [new URL(ORIGIN_URL).host],
    read: [deployments],
    envNames: ENV_NAMES,
    env: { ORIGIN_URL, DEPLOYMENTS: deployments, SHARED_SECRET: secret },
    print: (line) => terminal.print(printable(line), undefined, { text: "origin  ", color: "magenta" }),
  });
}

function startRelay(
  { folder, secret, terminal, urls: { relay, ingress, origin }, hostnamesFile }: Programs & {
    urls: Record<"relay" | "ingress" | "origin", string>;
    hostnamesFile: string;
  },
): Promise<DenoProgram> {
  return DenoProgram.start(join(folder, "relay.ts"), {
    net: [relay, ingress].map((url) => new URL(url).host),
    read: [hostnamesFile],
    envNames: ENV_NAMES,
    env: {
      RELAY_URL: relay,
      INGRESS_URL: ingress,
      ORIGIN_URL: origin,
      HOSTNAMES: hostnamesFile,
      SUBHOSTER_ID,
      SHARED_SECRET: secret,
    },
    print: (line) => terminal.print(printable(line), undefined, { text: "relay   ", color: "blue" }),
  });
}

function subhosterFor(origin: DenoProgram, secret: string): SubhosterConfig {
  const rpcRoots = [origin.url];
  return { id: SUBHOSTER_ID, secret, nextSecret: null, rpcRoots, limits: {}, net: null, region: null };
}

/** As this machine reaches it. */
function authority({ hostname, port }: Address): string {
  return `${hostname === "0.0.0.0" ? "127.0.0.1" : urlHost(hostname)}:${port}`;
}

async function followSaves(
  changes: FolderChanges,
  hostnames: VersionedHostnames,
  { terminal, signal }: SubhostingOptions,
): Promise<void> {
  for (let savedAt = await changes.next(); savedAt !== undefined; savedAt = await changes.next()) {
    try {
      for (const [hostname, id] of await hostnames.update(signal)) {
        terminal.note(`Saved → ${hostname} is ${id}`, "green");
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof CliError || error instanceof Deno.errors.NotFound)) throw error;
      terminal.note(`error: ${error.message}`, "red");
    }
  }
}

/** Throws when the program ends though nobody ends it. */
async function ending(name: string, program: DenoProgram, signal: AbortSignal): Promise<void> {
  const status = await program.ended;
  // Ctrl-C at the terminal reaches every process that runs there.
  if (!signal.aborted && status.signal !== "SIGINT") {
    throw new CliError("failed", `Cannot go on: the ${name} ended with code ${status.code}`);
  }
}
