/** The runner's thread: its listener and its leases, driven by the messages of `contract.ts`. */
import { CertificateWants } from "./front/certificate_wants.ts";
import type { Acquired, FromRunner, RunnerOptions, RunnerState, ToRunner } from "./contract.ts";
import { CertificateTable } from "./front/certificate_table.ts";
import { Handler } from "./handler.ts";
import { HttpsPolicy } from "./https_policy.ts";
import { type IsolateSource, Leases } from "./isolates/leases.ts";
import { Listener } from "./listener.ts";
import { Observer } from "./observation/observer.ts";
import { ResponseCounter } from "./response_counter.ts";
import { RelayGate } from "./subhosting/relay_gate.ts";
import { Telemetry } from "./observation/telemetry.ts";
import { TokenVerifier } from "./subhosting/token_verifier.ts";
import { TrustedProxies } from "./front/trusted_proxies.ts";

interface Running {
  listener: Listener;
  handler: Handler;
  leases: Leases;
  observer: Observer;
  responses: ResponseCounter;
  certificates: CertificateTable;
  https: HttpsPolicy | null;
  wants: CertificateWants;
}

// The type of `globalThis` is a window's; in a worker it has the port to the parent.
const parent = globalThis as unknown as Worker;
const acquisitions = new Map<number, (result: Acquired) => void>();
let acquisitionCount = 0;
let running: Running | null = null;

function post(message: FromRunner): void {
  parent.postMessage(message);
}

/** Isolates are granted by whoever started this worker. */
const source: IsolateSource = {
  acquire(deploymentId, context) {
    const requestId = ++acquisitionCount;
    const { promise, resolve } = Promise.withResolvers<Acquired>();
    acquisitions.set(requestId, resolve);
    post({ type: "acquire", requestId, deploymentId, ...context });
    return promise;
  },
  release: (usage) => post({ type: "release", usage }),
  broken: (usage, code) => post({ type: "broken", usage, code }),
};

async function start(options: RunnerOptions, state: RunnerState): Promise<Running> {
  const telemetry = await Telemetry.load();
  const { http, https, redirect, limits, subhosters } = options;
  const verifier = subhosters.length > 0 ? await TokenVerifier.load(subhosters) : null;
  const certificates = new CertificateTable();
  certificates.change({ installed: state.certificates, removed: [] });
  const wants = new CertificateWants({
    routes: (hostname) => handler.routes(hostname),
    ask: (hostname) => post({ type: "want", hostname }),
  });
  const policy = https && new HttpsPolicy({
    secured: certificates,
    port: () => listener.https!.port,
    redirect,
    want: (hostname) => void wants.want(hostname),
  });
  const leases = new Leases(options, source);
  const observer = new Observer({ send: (batch) => post({ type: "access", batch }), telemetry });
  const responses = new ResponseCounter((counts) => post({ type: "responses", counts }));
  const relays = verifier && new RelayGate(verifier, responses);
  const handler = new Handler({ routes: state.routes, leases, https: policy, relays, observer, responses });
  let listener: Listener;
  try {
    listener = new Listener({
      http,
      https,
      limits,
      certificates,
      proxies: new TrustedProxies(options.proxies),
      hasRelays: relays !== null,
      wantCertificate: (hostname) => wants.want(hostname),
    }, handler);
  } catch (error) {
    leases[Symbol.dispose]();
    responses[Symbol.dispose]();
    throw error;
  }
  return { listener, handler, leases, observer, responses, certificates, https: policy, wants };
}

async function drain(
  { listener, leases, observer, responses, certificates }: Running,
  { deadlineMs, lingerMs }: { deadlineMs: number; lingerMs: number },
): Promise<void> {
  await listener.drain(AbortSignal.timeout(deadlineMs), lingerMs);
  certificates[Symbol.dispose]();
  leases[Symbol.dispose]();
  observer[Symbol.dispose]();
  responses[Symbol.dispose]();
  post({ type: "drained" });
}

/** Nothing else is said to a runner before it listens. */
async function begin(options: RunnerOptions, state: RunnerState): Promise<void> {
  try {
    running = await start(options, state);
    post({ type: "listening", http: running.listener.http, https: running.listener.https });
  } catch (error) {
    post({ type: "failed", message: String(error) });
  }
}

function receive(message: ToRunner): void {
  if (message.type === "start") return void begin(message.options, message.state);
  if (running === null) return;
  switch (message.type) {
    case "routes":
      return running.handler.changeRoutes(message.changes);
    case "certificates":
      return running.certificates.change(message.changes);
    case "challenges":
      return running.https?.setChallenges(message.challenges);
    case "ordered":
      return running.wants.ordered(message.hostname);
    case "acquired":
      acquisitions.get(message.requestId)?.(message.result);
      acquisitions.delete(message.requestId);
      return;
    case "ended":
      return running.leases.ended(message.isolateId, message.code);
    case "recall":
      if (!running.leases.recall(message.isolateId)) post({ type: "busy", isolateId: message.isolateId });
      return;
    case "usage":
      return post({ type: "usage", requestId: message.requestId, isolates: running.leases.usage() });
    case "accessTaken":
      return running.observer.accessLog.taken();
    case "inFlight":
      return post({ type: "inFlight", requestId: message.requestId, isolateIds: running.leases.inFlight() });
    case "drain":
      return void drain(running, message);
  }
}

// One request's surprise must not end the others: without a listener an uncaught error ends the worker.
addEventListener("error", (event) => {
  event.preventDefault();
  console.error("Uncaught error in runner:", event.error);
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  console.error("Unhandled rejection in runner:", event.reason);
});
parent.addEventListener("message", ({ data }: MessageEvent<ToRunner>) => receive(data));
