/** The runner's thread: one listener and its leases, driven by the messages of `contract.ts`. */
import type { Acquired, FromRunner, RouteTable, RunnerOptions, ToRunner } from "./contract.ts";
import { Handler } from "./handler.ts";
import { type IsolateSource, Leases } from "./leases.ts";
import { Listener } from "./listener.ts";

interface Running {
  listener: Listener;
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
  const leases = new Leases(options, source);
  const handler = new Handler({ routes, leases });
  try {
    const { hostname, port, reusePort } = options;
    const listener = new Listener({ hostname, port, reusePort }, handler);
    post({ type: "listening", hostname: listener.addr.hostname, port: listener.addr.port });
    return { listener, handler, leases };
  } catch (error) {
    leases[Symbol.dispose]();
    throw error;
  }
}

async function drain({ listener, leases }: Running, deadlineMs: number): Promise<void> {
  await listener.drain(AbortSignal.timeout(deadlineMs));
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
      return running.handler.changeRoutes(message.changes);
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
