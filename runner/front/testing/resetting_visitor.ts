/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
/** A worker that connects to a port so many times, and resets each connection at once. */
import { once } from "node:events";
import { connect } from "node:net";

/** What the worker is told. */
export interface Resets {
  port: number;
  count: number;
  /** Its first number is set to 1 at the end. */
  done: Int32Array<SharedArrayBuffer>;
}

self.addEventListener("message", async ({ data }: MessageEvent<Resets>) => {
  for (let i = 0; i < data.count; i++) {
    const socket = connect(data.port, "127.0.0.1");
    await once(socket, "connect");
    socket.resetAndDestroy();
    await once(socket, "close");
  }
  Atomics.store(data.done, 0, 1);
  Atomics.notify(data.done, 0);
});
