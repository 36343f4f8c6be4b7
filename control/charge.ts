import { setTimeout as delay } from "node:timers/promises";
import type { SandboxLayers } from "../isolate/mod.ts";
import { createApi } from "./api/mod.ts";
import { type Builds, type BuildStore, createBuilds } from "./build/build.ts";
import { materialize } from "./build/materialize.ts";
import type { CertificateService } from "./certificates/certificate_service.ts";
import type { Address, Config } from "./config/config.ts";
import type { Launches } from "./launches.ts";
import type { LogStore } from "./logs/mod.ts";
import { metricsText } from "./metrics.ts";
import type { Routing } from "./routing.ts";
import type { Store } from "./store/mod.ts";
import type { Supervisor } from "./supervisor/supervisor.ts";
import type { UsageLedger } from "./usage/mod.ts";

const COLLECT_INTERVAL_MS = 10 * 60_000;
/** How long calls of the API that are in progress may take when it closes. */
const API_DRAIN_TIMEOUT_MS = 5000;
const DEFAULT_PORTS = { http: 80, https: 443 };

/** Where the data plane listens. */
export interface DataPlane {
  http: Address;
  /** `null` = no TLS. */
  https: Address | null;
}

/** What {@linkcode takeCharge} works with. */
export interface ChargeOptions {
  config: Config;
  version: string;
  /** The server's environment: builds get what names registries, proxies and certificates. */
  env: Readonly<Record<string, string>>;
  store: Store;
  logs: LogStore;
  usage: UsageLedger;
  launches: Launches;
  supervisor: Supervisor;
  routing: Routing;
  certificates: CertificateService;
  sandbox: SandboxLayers;
  /** Where the control API listens. */
  controlAddr: Address;
  dataPlane: DataPlane;
  status(): "starting" | "ok" | "draining";
}

/** Disposed, all of it has ended, and another server of the data directory may do it. */
export interface Charge extends AsyncDisposable {
  /** Of the control API, as bound. */
  readonly controlAddr: Address;
}

/**
 * Does what only one server of a data directory may do at a time: answers the control API, builds (also what was cut off),
 * orders certificates, and removes contents that nothing names.
 */
export async function takeCharge(options: ChargeOptions): Promise<Charge> {
  const { config, env, store, certificates } = options;
  await using taking = new AsyncDisposableStack();
  taking.use(collectRegularly(store));
  const builds = taking.use(
    await createBuilds({
      dataDir: config.dataDir,
      env,
      memoryMb: config.limits.memoryMb,
      store: buildStore(options),
    }),
  );
  const server = listen(options.controlAddr, createControlApi(options, builds));
  taking.defer(async () => {
    options.logs.endAll(); // For live readers shutdown would wait.
    const late = new AbortController();
    const timeout = delay(API_DRAIN_TIMEOUT_MS, undefined, { signal: late.signal }).catch(() => {});
    await Promise.race([server.shutdown(), timeout]);
    late.abort();
  });
  for (const deploymentId of store.pendingDeployments()) builds.submit(deploymentId);
  certificates.start();
  taking.defer(() => certificates.stop());
  const owned = taking.move();
  return { controlAddr: server.addr, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function buildStore({ store, logs, launches, supervisor, routing }: ChargeOptions): BuildStore {
  return {
    source(deploymentId) {
      const record = store.deployments.get(deploymentId);
      const snapshot = store.deployments.snapshot(deploymentId);
      return record && snapshot && { files: snapshot.files, source: record.source };
    },
    materialize: (files, dir) =>
      materialize(files, dir, (sha256) => store.blobs.path(sha256), { writable: true }),
    putFile: async (path) => await store.blobs.put((await Deno.open(path)).readable),
    log: (deploymentId, line) => logs.build.append(deploymentId, line),
    boot: (deploymentId, image) =>
      launches.withImage(deploymentId, image, () => supervisor.trial(deploymentId)),
    async finish(deploymentId, result) {
      store.deployments.finish(deploymentId, result);
      await routing.applied();
      logs.build.end(deploymentId);
    },
  };
}

function createControlApi(options: ChargeOptions, builds: Builds): Deno.ServeHandler {
  const { config, store, logs, usage, supervisor, routing, certificates } = options;
  const { version, sandbox, dataPlane: { http, https } } = options;
  const { region, isolation, limits, dns, baseDomain } = config;
  return createApi({
    store,
    logs,
    usage,
    builds,
    isolates: () => supervisor.isolates(),
    ended(deploymentId) {
      supervisor.retire(deploymentId);
      logs.end(deploymentId);
    },
    async routed() {
      await routing.applied();
      await certificates.applied();
    },
    distrusted(deploymentId) {
      if (isolation === "shared") supervisor.retire(deploymentId);
    },
    isolation,
    health: () => ({ status: options.status(), version, region, sandbox, runners: config.runners }),
    metrics: () =>
      metricsText({
        version,
        region,
        sandbox,
        phases: supervisor.phases(),
        ended: supervisor.ends,
        isolates: supervisor.memory(),
        usage: usage.totals(),
        waiting: supervisor.waiting,
        hostnames: routing.size,
      }),
    certificates: certificates.provisioning,
    dns,
    baseDomain,
    publicUrl: (hostname) =>
      https !== null && certificates.secures(hostname)
        ? urlOf("https", hostname, https.port)
        : urlOf("http", hostname, http.port),
    controlHostnames: [],
    limits,
  });
}

function urlOf(scheme: "http" | "https", hostname: string, port: number): string {
  return `${scheme}://${hostname}${port === DEFAULT_PORTS[scheme] ? "" : `:${port}`}`;
}

function listen({ hostname, port }: Address, handler: Deno.ServeHandler): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({ hostname, port, onListen() {} }, handler);
  } catch (cause) {
    throw new Error(`Cannot listen on "${hostname}:${port}": ${(cause as Error).message}`, { cause });
  }
}

/** Removes contents that no deployment names, now and from time to time. */
function collectRegularly(store: Store): AsyncDisposable {
  let collecting: Promise<unknown> = Promise.resolve();
  const collect = () => {
    collecting = store.blobs.collect().catch((error) =>
      console.error("Cannot collect unused contents:", error)
    );
  };
  collect();
  const timer = setInterval(collect, COLLECT_INTERVAL_MS);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await collecting;
    },
  };
}
