/** The egress proxy's thread, driven by the messages of `contract.ts`. */
import type { EgressUsage, FromEgress, ToEgress } from "./contract.ts";
import { EgressProxy } from "./egress_proxy.ts";

// The type of `globalThis` is a window's; in a worker it has the port to the parent.
const parent = globalThis as unknown as Worker;
let proxy: EgressProxy;

function post(message: FromEgress): void {
  parent.postMessage(message);
}

async function receive(message: ToEgress): Promise<void> {
  switch (message.type) {
    case "start":
      proxy = new EgressProxy(message.options);
      return;
    case "allow":
      return proxy.allow(message.id, message.net);
    case "open":
      return await answer(message.requestId, () => {
        proxy.open(message.id, message.socketPath);
        return [];
      });
    case "close":
      return await answer(message.requestId, async () => {
        const usage = await proxy.close(message.id);
        return usage === null ? [] : [usage];
      });
    case "usage":
      return await answer(message.requestId, () => proxy.usage());
  }
}

async function answer(requestId: number, work: () => EgressUsage[] | Promise<EgressUsage[]>): Promise<void> {
  try {
    post({ type: "done", requestId, usage: await work() });
  } catch (error) {
    post({ type: "failed", requestId, message: String(error) });
  }
}

// One connection's surprise must not end the others: without a listener an uncaught error ends the worker.
addEventListener("error", (event) => {
  event.preventDefault();
  console.error("Uncaught error in egress proxy:", event.error);
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  console.error("Unhandled rejection in egress proxy:", event.reason);
});
parent.addEventListener("message", ({ data }: MessageEvent<ToEgress>) => void receive(data));
