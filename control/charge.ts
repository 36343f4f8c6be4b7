import { join } from "node:path";
import type { SandboxLayers } from "../isolate/mod.ts";
import { Authenticator, createApi } from "./api/mod.ts";
import { type Builds, type BuildStore, createBuilds } from "./build/build.ts";
import { materialize } from "./build/materialize.ts";
import type { CertificateService } from "./certificates/certificate_service.ts";
import type { Address, Config } from "./config/config.ts";
import { buildVariables, isBuiltAlike } from "./deployments/build_variables.ts";
import { doneWithin } from "./scheduling/done_within.ts";
import { ConfinedGit } from "./git/confined_git.ts";
import { Repositories } from "./git/push/repositories.ts";
import { openFollower, type RepositoryFollower } from "./git/repository_follower.ts";
import type { Launches } from "./launches/launches.ts";
import type { LogStore, OtlpLogs } from "./logs/mod.ts";
import { collectMetrics, type Durations, type Responses } from "./metrics/mod.ts";
import type { Routing } from "./routing/routing.ts";
import type { Store } from "./store/mod.ts";
import type { Subhosting } from "./subhosting/subhosting.ts";
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
  /** Who calls the control API, where a proxy that the operator trusts says so in its headers; else `peer`. */
  clientAddress(peer: string, headers: Headers): string;
  store: Store;
  logs: LogStore;
  /** `null` = logs go nowhere else. */
  exporter: OtlpLogs | null;
  usage: UsageLedger;
  durations: Durations;
  responses: Responses;
  launches: Launches;
  supervisor: Supervisor;
  routing: Routing;
  certificates: CertificateService;
  /** `null` = there are no subhosters. */
  subhosting: Subhosting | null;
  sandbox: SandboxLayers;
  /** A short path, under which sockets may be; it goes with the server. */
  socketsDir: string;
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
  const builds = taking.use(
    await createBuilds({
      dataDir: config.dataDir,
      env,
      memoryMb: config.limits.memoryMb,
      store: options.durations.measured(
        buildStore(options, (deploymentId) => follower.finished(deploymentId)),
      ),
    }),
  );
  const git = await ConfinedGit.open({ caFile: env.SSL_CERT_FILE });
  const repositories = taking.use(
    new Repositories({
      dir: join(config.dataDir, "git"),
      git,
      organizationOf: (projectId) => store.projects.get(projectId)?.organizationId,
    }),
  );
  taking.use(collectRegularly(store, repositories));
  if (options.subhosting !== null) taking.use(options.subhosting.deliver());
  taking.defer(store.onRoutesChanged((projectId) => {
    if (store.projects.get(projectId) === null) repositories.attend(sweep(repositories));
  }));
  const follower: RepositoryFollower = taking.use(
    await openFollower({
      store,
      logs: options.logs,
      isolation: config.isolation,
      allowPrivate: config.allowPrivate,
      baseDomain: config.baseDomain,
      git,
      builds,
      dir: join(config.dataDir, "git-fetch"),
      socketsDir: join(options.socketsDir, "git"),
      publicUrl: publicUrl(options),
      routed: () => routed(options),
    }),
  );
  const server = listen(options.controlAddr, createControlApi(options, { builds, repositories, follower }));
  taking.defer(async () => {
    options.logs.endAll(); // For live readers shutdown would wait.
    await doneWithin(server.shutdown(), API_DRAIN_TIMEOUT_MS);
  });
  for (const deploymentId of store.pendingDeployments()) builds.submit(deploymentId);
  certificates.start();
  taking.defer(() => certificates.stop());
  const owned = taking.move();
  return { controlAddr: server.addr, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function buildStore(
  { store, logs, launches, supervisor, routing }: ChargeOptions,
  finished: (deploymentId: string) => void,
): BuildStore {
  return {
    owner(deploymentId) {
      const { projectId = "" } = store.deployments.get(deploymentId) ?? {};
      return store.projects.get(projectId)?.organizationId ?? "";
    },
    source(deploymentId) {
      const record = store.deployments.get(deploymentId);
      const snapshot = store.deployments.snapshot(deploymentId);
      if (!record || !snapshot) return null;
      const { files, image } = snapshot;
      const variables = buildVariables(store, record);
      const isReused = image !== null && isBuiltAlike(store, record);
      return { files, source: record.source, variables, ...(isReused ? { image } : {}) };
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
      finished(deploymentId);
    },
  };
}

function createControlApi(
  options: ChargeOptions,
  { builds, repositories, follower }: {
    builds: Builds;
    repositories: Repositories;
    follower: RepositoryFollower;
  },
): Deno.ServeHandler {
  const { config, store, logs, usage, supervisor, certificates } = options;
  const { version, sandbox } = options;
  const { region, isolation, limits, dns, baseDomain, controlHostnames } = config;
  const authenticator = new Authenticator(store.tokens);
  return createApi({
    store,
    authenticator,
    logs,
    usage,
    builds,
    repositories,
    follower,
    isolates: () => supervisor.isolates(),
    subhosting: {
      status: () => options.subhosting?.status() ?? [],
      refusedTokens: () => options.responses.refusedTokens,
    },
    ended(deploymentId) {
      supervisor.retire(deploymentId);
      logs.end(deploymentId);
    },
    routed: () => routed(options),
    distrusted(deploymentId) {
      if (isolation === "shared") supervisor.retire(deploymentId);
    },
    isolation,
    health: () => ({ status: options.status(), version, region, sandbox, runners: config.runners }),
    metrics: () => collectMetrics({ ...options, region, authenticator }),
    certificates: certificates.provisioning,
    dns,
    region,
    baseDomain,
    publicUrl: publicUrl(options),
    controlHostnames,
    clientAddress: options.clientAddress,
    limits,
  });
}

async function routed({ routing, certificates }: ChargeOptions): Promise<void> {
  await routing.applied();
  await certificates.applied();
}

function publicUrl(
  { dataPlane: { http, https }, certificates }: ChargeOptions,
): (hostname: string) => string {
  return (hostname) =>
    https !== null && certificates.secures(hostname)
      ? urlOf("https", hostname, https.port)
      : urlOf("http", hostname, http.port);
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

async function sweep(repositories: Repositories): Promise<void> {
  try {
    await repositories.sweep();
  } catch (error) {
    console.error("Cannot remove repositories of deleted projects:", error);
  }
}

/**
 * Removes contents that no deployment names, what is too old of the audit log, and repositories of deleted projects, now and
 * from time to time.
 */
function collectRegularly(store: Store, repositories: Repositories): AsyncDisposable {
  let collecting: Promise<unknown> = Promise.resolve();
  const collect = () => {
    const contents = store.blobs.collect().catch((error) =>
      console.error("Cannot collect unused contents:", error)
    );
    const changes = store.audit.prune().catch((error) =>
      console.error("Cannot delete old entries of the audit log:", error)
    );
    collecting = Promise.all([contents, changes, sweep(repositories)]);
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
