import { availableParallelism } from "node:os";
import { join } from "node:path";
import { openSandboxHome, type SandboxLayers } from "../isolate/mod.ts";
import { createApi } from "./api/mod.ts";
import { createBuilds } from "./build/build.ts";
import { materialize } from "./build/materialize.ts";
import type { Address, Config } from "./config.ts";
import { Launches } from "./launches.ts";
import { openLogs } from "./logs/mod.ts";
import { metricsText } from "./metrics.ts";
import { Routing } from "./routing.ts";
import { openStore, type Store } from "./store/mod.ts";
import { Supervisor } from "./supervisor/supervisor.ts";
import { UsageLedger } from "./usage/mod.ts";

const MAX_WAITING_ACQUIRES = 10_000;
const MAX_BACKGROUND_MS = 5 * 60_000;
const COLLECT_INTERVAL_MS = 10 * 60_000;

/** The control plane of one machine. */
export interface Control extends AsyncDisposable {
  readonly supervisor: Supervisor;
  readonly routing: Routing;
  /** The layers around an isolate. */
  readonly sandbox: SandboxLayers;
  /** The first access token, if this start generated it. */
  readonly generatedToken: string | undefined;
  /**
   * Starts to answer the control API, takes up the builds that were cut off, and returns the API's URL; `httpPort` is the
   * data plane's, for the URLs that it tells. Routes change from now on: whoever follows them does so already.
   */
  serve(httpPort: number): string;
  /** From now on `/healthz` says that the server is about to end. */
  drain(): void;
}

/** What {@linkcode openControl} is told beside the configuration. */
export interface ControlOptions {
  version: string;
  /** The server's environment: builds get what names registries, proxies and certificates. */
  env: Readonly<Record<string, string>>;
  /** Called when the server is of no use any more. */
  failed(error: Error): void;
}

/**
 * Opens the state and starts the supervisor.
 *
 * @throws {StoreError} when another server has the data directory open
 */
export async function openControl(
  config: Config,
  { version, env, failed }: ControlOptions,
): Promise<Control> {
  await using opening = new AsyncDisposableStack();
  const store = opening.use(await openStore(config.dataDir));
  const logs = opening.use(openLogs(config.dataDir, store));
  const home = opening.use(
    await openSandboxHome({
      dataDir: config.dataDir,
      denoPath: Deno.execPath(),
      layers: config.sandbox,
      allowPrivate: config.allowPrivate,
      sharedHeapMb: config.isolation === "shared" ? config.limits.memoryMb : undefined,
      failed,
    }),
  );
  const generatedToken = store.tokens.ensureAdmin(store.organizations.first().id, config.adminToken ?? null);
  const usage = opening.use(new UsageLedger(store.database));
  const launches = new Launches({
    store,
    region: config.region,
    limits: config.limits,
    isolation: config.isolation,
    treesDir: join(home.programsDir, "trees"),
  });
  const routing = new Routing(store, config);
  const supervisor = opening.use(
    new Supervisor({
      home,
      maxIsolates: config.maxIsolates,
      warmPool: config.warmPool,
      maxStarting: Math.max(2, availableParallelism()),
      queueTimeoutMs: config.queueTimeoutMs,
      maxWaiters: MAX_WAITING_ACQUIRES,
      maxBackgroundMs: MAX_BACKGROUND_MS,
      memoryMb: config.limits.memoryMb,
      launch: (deploymentId) => launches.get(deploymentId),
      log: (deploymentId, line) => logs.app.append(deploymentId, [{ ...line, region: config.region }]),
      usage: (deploymentId, delta) => usage.add(deploymentId, delta),
    }),
  );
  const builds = opening.use(
    await createBuilds({
      dataDir: config.dataDir,
      env,
      memoryMb: config.limits.memoryMb,
      store: {
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
      },
    }),
  );
  opening.use(collectRegularly(store));

  let status: "starting" | "ok" | "draining" = "starting";
  const owned = opening.move();
  return {
    supervisor,
    routing,
    sandbox: home.layers,
    generatedToken: generatedToken ?? undefined,
    drain() {
      status = "draining";
    },
    serve(httpPort) {
      const api = createApi({
        store,
        logs,
        usage,
        builds,
        isolates: () => supervisor.isolates(),
        ended(deploymentId) {
          supervisor.retire(deploymentId);
          logs.end(deploymentId);
        },
        routed: () => routing.applied(),
        distrusted(deploymentId) {
          if (config.isolation === "shared") supervisor.retire(deploymentId);
        },
        isolation: config.isolation,
        health: () => ({
          status,
          version,
          region: config.region,
          sandbox: home.layers,
          runners: config.runners,
        }),
        metrics: () =>
          metricsText({
            version,
            region: config.region,
            sandbox: home.layers,
            phases: supervisor.phases(),
            ended: supervisor.ends,
            isolates: supervisor.memory(),
            usage: usage.totals(),
            waiting: supervisor.waiting,
            hostnames: routing.size,
          }),
        baseDomain: config.baseDomain,
        publicUrl: (hostname) => `http://${hostname}${httpPort === 80 ? "" : `:${httpPort}`}`,
        controlHostnames: [],
        limits: config.limits,
      });
      const server = listen(config.controlAddr, api);
      owned.defer(async () => {
        logs.close(); // Ends the live readers, for whom shutdown would wait.
        await server.shutdown();
      });
      for (const deploymentId of store.pendingDeployments()) builds.submit(deploymentId);
      status = "ok";
      const { hostname, port } = server.addr;
      return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function listen({ hostname, port }: Address, handler: Deno.ServeHandler): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({ hostname, port, onListen() {} }, handler);
  } catch (cause) {
    throw new Error(`Cannot listen on "${hostname}:${port}": ${(cause as Error).message}`, { cause });
  }
}

/** Removes contents that no deployment names, now and from time to time. */
function collectRegularly(store: Store): Disposable {
  const collect = () => {
    store.blobs.collect().catch((error) => console.error("Cannot collect unused contents:", error));
  };
  collect();
  const timer = setInterval(collect, COLLECT_INTERVAL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
