/** The runner's thread: one listener and its leases, driven by the messages of `contract.ts`. */
import { fallbackAuthority } from "./authority.ts";
import type { Acquired, FromRunner, RouteTable, RunnerOptions, ToRunner } from "./contract.ts";
import { Handler } from "./handler.ts";
import { type IsolateSource, Leases } from "./leases.ts";

interface Running {
  server: Deno.HttpServer<Deno.NetAddr>;
  handler: Handler;
  leases: Leases;
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
  acquire(deploymentId) {
    const requestId = ++acquisitionCount;
    const { promise, resolve } = Promise.withResolvers<Acquired>();
    acquisitions.set(requestId, resolve);
    post({ type: "acquire", requestId, deploymentId });
    return promise;
  },
  release: (usage) => post({ type: "release", usage }),
  broken: (usage, code) => post({ type: "broken", usage, code }),
};

function start(options: RunnerOptions, routes: RouteTable): Running {
  const { hostname, port, reusePort } = options;
  const server = Deno.serve(
    { hostname, port, reusePort, onListen: () => {} },
    (request, { remoteAddr }: Deno.ServeHandlerInfo<Deno.NetAddr>) =>
      running!.handler.handle(request, remoteAddr),
  );
  const leases = new Leases(options, source);
  const handler = new Handler({ routes, leases, fallbackAuthority: fallbackAuthority(server.addr) });
  post({ type: "listening", hostname: server.addr.hostname, port: server.addr.port });
  return { server, handler, leases };
}

async function drain({ server, handler, leases }: Running, deadlineMs: number): Promise<void> {
  const signal = AbortSignal.timeout(deadlineMs);
  const deadline = new Promise((resolve) => signal.addEventListener("abort", resolve));
  await handler.drain(signal);
  await Promise.race([server.shutdown(), deadline]);
  leases[Symbol.dispose]();
  post({ type: "drained" });
}

function receive(message: ToRunner): void {
  if (message.type === "start") {
    try {
      running = start(message.options, message.routes);
    } catch (error) {
      const { hostname, port } = message.options;
      post({ type: "failed", message: `cannot listen on "${hostname}:${port}": ${error}` });
    }
    return;
  }
  if (running === null) return;
  switch (message.type) {
    case "routes":
      return running.handler.setRoutes(message.routes);
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
    case "inFlight":
      return post({ type: "inFlight", requestId: message.requestId, isolateIds: running.leases.inFlight() });
    case "drain":
      return void drain(running, message.deadlineMs);
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
