import { availableParallelism } from "node:os";
import { join } from "node:path";
import { openSandboxHome, type SandboxLayers } from "../isolate/mod.ts";
import type { AccessBatch, AcquireContext, Acquired, ResponseCounts } from "../runner/mod.ts";
import { type CertificateFeed, CertificateService } from "./certificates/certificate_service.ts";
import { type Charge, type DataPlane, takeCharge } from "./charge.ts";
import type { Config } from "./config/config.ts";
import { HandoverOffer } from "./handover/handover_offer.ts";
import { type Predecessor, takePlace } from "./handover/handover_request.ts";
import { Launches } from "./launches/launches.ts";
import { deploymentResource, openLogs, OtlpLogs, otlpTarget } from "./logs/mod.ts";
import { Durations, Responses } from "./metrics/mod.ts";
import { Routing } from "./routing/routing.ts";
import { ordinaryObserver } from "./ordinary_observer.ts";
import { openStore } from "./store/mod.ts";
import { subhosterOf } from "./subhosting/subhoster_of.ts";
import { Subhosting } from "./subhosting/subhosting.ts";
import { tellAll } from "./supervisor/isolate_observer.ts";
import { Supervisor } from "./supervisor/supervisor.ts";
import { loadTelemetry } from "./telemetry/telemetry.ts";
import { urlHost } from "./http/url_host.ts";
import { UsageLedger } from "./usage/mod.ts";

const MAX_WAITING_ACQUIRES = 10_000;
const MAX_BACKGROUND_MS = 5 * 60_000;

/** The control plane of one machine. */
export interface Control extends AsyncDisposable {
  readonly supervisor: Supervisor;
  /** A live isolate for a request, leased to `lesseeId`, or the error that the visitor gets. Never rejects. */
  acquire(lesseeId: string, deploymentId: string, context?: AcquireContext): Promise<Acquired>;
  readonly routing: Routing;
  readonly certificates: CertificateFeed;
  /** Takes in what a runner says of requests that are over. */
  access(batch: AccessBatch): Promise<void>;
  /** Counts responses that runners began. */
  responded(counts: ResponseCounts): void;
  /** The layers around an isolate. */
  readonly sandbox: SandboxLayers;
  /** The first access token, if this start generated it. */
  readonly generatedToken: string | undefined;
  /** The server whose place this one takes; it goes on serving visitors until it is told to end. */
  readonly predecessor: Predecessor | null;
  /**
   * Starts to answer the control API, and takes up the builds that were cut off. Routes and certificates change from
   * now on: whoever follows them does so already.
   *
   * @param dataPlane For the URLs that it tells.
   */
  serve(dataPlane: DataPlane): Promise<ServingControl>;
  /** From now on `/healthz` says that the server is about to end. */
  drain(): void;
}

/** The control plane when it answers. */
export interface ServingControl {
  /** Of the control API. */
  url: string;
  /** Aborted when another server has taken this one's place. */
  superseded: AbortSignal;
}

/** What {@linkcode openControl} is told beside the configuration. */
export interface ControlOptions {
  version: string;
  /** The server's environment: builds get what names registries, proxies and certificates. */
  env: Readonly<Record<string, string>>;
  /** Take the place of the server that has the data directory, if there is one. */
  takeOver: boolean;
  /** Who calls the control API, where a proxy that the operator trusts says so in its headers; else `peer`. */
  clientAddress(peer: string, headers: Headers): string;
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
  { version, env, takeOver, clientAddress, failed }: ControlOptions,
): Promise<Control> {
  await using opening = new AsyncDisposableStack();
  const predecessor = takeOver ? opening.use(await takePlace(config.dataDir)) : null;
  const store = opening.use(
    await openStore(config.dataDir, { secretKeyFile: config.secretKeyFile, takesOver: predecessor !== null }),
  );
  const collector = otlpTarget(config.otlp, env);
  const exporter = collector && opening.use(
    new OtlpLogs({
      ...collector,
      resource: (deploymentId) => deploymentResource(store.database, deploymentId),
    }),
  );
  const logs = opening.use(openLogs(config.dataDir, store, { retention: config.logs, exporter }));
  const home = opening.use(
    await openSandboxHome({
      dataDir: config.dataDir,
      denoPath: Deno.execPath(),
      layers: config.sandbox,
      allowPrivate: config.allowPrivate,
      sharedHeapMb: config.isolation === "shared" ? config.limits.memoryMb : undefined,
      moduleIndexes: config.subhosting.length > 0,
      failed,
    }),
  );
  store.organizations.first();
  const generatedToken = store.tokens.ensureAdmin(config.adminToken ?? null);
  const usage = opening.use(new UsageLedger(store.database));
  const launches = new Launches({
    store,
    region: config.region,
    limits: config.limits,
    isolation: config.isolation,
    treesDir: join(home.programsDir, "trees"),
  });
  const subhosting = config.subhosting.length === 0 ? null : opening.use(
    await Subhosting.open({ ...config, subhosters: config.subhosting, box: store.secrets, logs }),
  );
  const routing = new Routing(store, config);
  const certificates = opening.use(await CertificateService.open({ config, store, env }));
  const telemetry = await loadTelemetry();
  const durations = new Durations();
  const responses = new Responses();
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
      launch: (deploymentId) =>
        (subhosterOf(deploymentId) === null ? launches : subhosting!).get(deploymentId),
      observer: tellAll(ordinaryObserver({ ...config, logs, usage }), ...subhosting?.observers ?? []),
      coldStart: (waitedMs) => durations.coldStarts.observe(waitedMs / 1000),
      starts: telemetry?.starts,
    }),
  );
  telemetry?.gauge(() => supervisor.phases());
  let status: "starting" | "ok" | "draining" = "starting";
  const owned = opening.move();
  return {
    supervisor,
    acquire(lesseeId, deploymentId, { trace, subhosted } = {}) {
      const acquire = () => supervisor.acquire(lesseeId, deploymentId, trace);
      if (subhosted === undefined || subhosting === null) return acquire();
      return subhosting.acquire(deploymentId, subhosted, acquire);
    },
    routing,
    sandbox: home.layers,
    generatedToken: generatedToken ?? undefined,
    drain() {
      status = "draining";
    },
    certificates,
    predecessor,
    access: (batch) => logs.access.append(batch, config.region),
    responded: (counts) => responses.add(counts),
    async serve(dataPlane) {
      const options = {
        config,
        version,
        env,
        clientAddress,
        store,
        logs,
        exporter,
        usage,
        durations,
        responses,
        launches,
        supervisor,
        routing,
        certificates,
        subhosting,
        sandbox: home.layers,
        socketsDir: home.socketsDir,
        dataPlane,
        status: () => status,
      };
      let charge: Charge = await takeCharge({ ...options, controlAddr: config.controlAddr });
      owned.defer(() => charge[Symbol.asyncDispose]());
      const offer = owned.use(
        new HandoverOffer({
          dataDir: config.dataDir,
          async release() {
            await charge[Symbol.asyncDispose]();
            usage.flush();
            store.lock.release();
          },
          async takeBack() {
            store.lock.take();
            charge = await takeCharge({ ...options, controlAddr: charge.controlAddr });
          },
        }),
      );
      status = "ok";
      const { hostname, port } = charge.controlAddr;
      return { url: `http://${urlHost(hostname)}:${port}`, superseded: offer.superseded };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
