/**
 * Isola: a self-hosted isolate cloud. This file is the composition root and the command line: the only one that imports
 * all three layers, reads the environment, and exits.
 */
import { constants as osConstants } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  type Config,
  type Control,
  isExporting,
  type Lessee,
  openControl,
  type Predecessor,
  runCli,
  type RunningServer,
} from "./control/mod.ts";
import { boundExit, ignoreSignal, scheduleInBatches } from "./isolate/mod.ts";
import {
  assertFree,
  DEFAULT_VISITOR_LIMITS,
  type ListenAddress,
  type Runner,
  startRunner,
  steerHere,
  type Subhoster,
  TrustedProxies,
  type VisitorLimits,
} from "./runner/mod.ts";
import metadata from "./deno.json" with { type: "json" };

/** How long requests in flight may take after SIGTERM. */
const DRAIN_TIMEOUT_MS = 10_000;
/** How long connections that the kernel opened before a takeover may take to reach the older server. */
const LINGER_MS = 1000;

/**
 * Starts the control plane and the runners.
 *
 * @throws {Error} when an address is in use, or another server has the data directory open
 */
async function startServer(config: Config, { takeOver = false } = {}): Promise<RunningServer> {
  await using starting = new AsyncDisposableStack();
  scheduleInBatches();
  refuseInspector();
  const control = starting.use(
    await openControl(config, {
      version: metadata.version,
      env: Deno.env.toObject(),
      takeOver,
      clientAddress: clientAddressOf(config),
      failed,
    }),
  );
  const runners: Runner[] = [];
  let { httpAddr: http, httpsAddr: https = null } = config as Listening;
  // A predecessor has left the control API's address, and shares the others.
  const taken = control.predecessor === null ? [config.controlAddr, http, https] : [config.controlAddr];
  for (const address of taken) if (address !== null) assertFree(address);
  for (let index = 0; index < config.runners; index++) {
    const runner = starting.use(await startLessee(`runner-${index}`, { config, http, https, ...control }));
    ({ http, https } = runner);
    runners.push(runner);
  }
  const { routing, certificates } = control;
  // Messages are ordered: whoever answers this has what was sent before.
  const inForce = () => Promise.all(runners.map((runner) => runner.usage()));
  routing.onChange(async (changes) => {
    for (const runner of runners) runner.changeRoutes(changes);
    await inForce();
  });
  certificates.onChange(async (changes) => {
    for (const runner of runners) runner.changeCertificates(changes);
    await inForce();
  });
  certificates.onChallenges(async (challenges) => {
    for (const runner of runners) runner.setChallenges(challenges);
    await inForce();
  });
  const { url: controlUrl, superseded } = await control.serve({ http, https });
  if (control.predecessor !== null) replace(control.predecessor);
  const owned = starting.move();
  return {
    controlUrl,
    superseded,
    http,
    https,
    generatedToken: control.generatedToken,
    sandbox: control.sandbox,
    async close() {
      control.drain();
      const lingerMs = superseded.aborted ? LINGER_MS : 0;
      await Promise.all(runners.map((runner) => runner.drain(DRAIN_TIMEOUT_MS, lingerMs)));
      await owned.disposeAsync();
    },
  };
}

/**
 * At SIGUSR1, which others take for "open the log anew", Deno opens its inspector on loopback: to every user of the machine.
 * Its handler is installed with the first listener, and stays replaced.
 */
function refuseInspector(): void {
  Deno.addSignalListener("SIGUSR1", () => {});
  ignoreSignal(osConstants.signals.SIGUSR1);
}

/** This server is ready: the other one gets no new connections, finishes its requests and ends. */
async function replace(predecessor: Predecessor): Promise<void> {
  using _steering = steerHere();
  try {
    await predecessor.end();
  } catch (error) {
    console.error("Cannot tell the other server to end:", error);
  }
}

interface Listening {
  httpAddr: ListenAddress;
  httpsAddr: ListenAddress | null | undefined;
}

interface LesseeOptions
  extends Pick<Control, "acquire" | "supervisor" | "routing" | "certificates" | "access" | "responded"> {
  config: Config;
  http: ListenAddress;
  https: ListenAddress | null;
}

/** A runner whose isolates are the supervisor's. */
async function startLessee(
  id: string,
  { config, http, https, acquire, supervisor, routing, certificates, access, responded }: LesseeOptions,
): Promise<Runner> {
  const runner = await startRunner(
    {
      http,
      https,
      redirect: config.httpRedirect === "on",
      limits: limitsOfOne(config),
      proxies: config.trustedProxies,
      subhosters: subhostersOf(config),
      idleTimeoutMs: config.idleTimeoutMs,
      queueTimeoutMs: config.queueTimeoutMs,
    },
    { routes: routing.current, certificates: certificates.current },
    {
      acquire: (deploymentId, context) => acquire(id, deploymentId, context),
      release: (usage) => supervisor.released(id, usage),
      broken: (usage, code) => supervisor.broken(id, usage, code),
      access,
      responded,
      wantCertificate: (hostname) => certificates.want(hostname),
      failed,
    },
  );
  const lessee: Lessee = {
    id,
    async recall(isolateId) {
      if (!await runner.recall(isolateId)) supervisor.busy(id, isolateId);
    },
    ended: (isolateId, code) => runner.ended(isolateId, code),
    usage: () => runner.usage(),
    inFlight: () => runner.inFlight(),
  };
  supervisor.addLessee(lessee);
  return runner;
}

/** The kernel spreads connections over the runners: each has its part of the places. */
function limitsOfOne({ visitors, runners }: Config): VisitorLimits {
  const limits = { ...DEFAULT_VISITOR_LIMITS, ...visitors };
  return { ...limits, maxConnections: Math.ceil(limits.maxConnections / runners) };
}

/** What runners have to know of them. */
function subhostersOf({ subhosting, limits }: Config): Subhoster[] {
  return subhosting.map(({ id, secret, nextSecret, rpcRoots, limits: own }) => {
    const { maxConcurrency, requestTimeoutMs } = { ...limits, ...own };
    const secrets = nextSecret === null ? [secret] : [secret, nextSecret];
    return { id, secrets, rpcRoots, maxConcurrency, requestTimeoutMs };
  });
}

/** Who calls the control API: the proxies that are believed of visitors are believed of its callers, too. */
function clientAddressOf({ trustedProxies }: Config): (peer: string, headers: Headers) => string {
  const proxies = new TrustedProxies(trustedProxies);
  return (address, headers) =>
    proxies.clientOf({ address, port: 0, proto: "http" }, {
      forwardedFor: headers.get("x-forwarded-for"),
      forwardedProto: null,
      forwarded: headers.get("forwarded"),
    }).address;
}

/** Without one of its threads the server is of no use; whoever supervises it starts it again. */
function failed(error: Error) {
  console.error(error);
  Deno.exit(1);
}

/** Aborted by the first SIGINT or SIGTERM; the second ends the process at once. */
function endSignal(): AbortSignal {
  const controller = new AbortController();
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    Deno.addSignalListener(signal, () => {
      if (controller.signal.aborted) Deno.exit(code);
      controller.abort();
    });
  }
  return controller.signal;
}

if (import.meta.main) {
  const code = await runCli(Deno.args, {
    env: Deno.env.toObject(),
    cwd: Deno.cwd(),
    stdin: Deno.stdin,
    stdout: Deno.stdout,
    stderr: Deno.stderr,
    signal: endSignal(),
    memoryBytes: Math.min(Deno.systemMemoryInfo().total, process.constrainedMemory()),
    version: metadata.version,
    exampleDir: fileURLToPath(new URL("./examples/hono", import.meta.url)),
    subhostingExampleDir: fileURLToPath(new URL("./examples/subhosting", import.meta.url)),
    startServer,
  });
  if (isExporting()) await boundExit(code);
  Deno.exit(code);
}
