import {
  type AssignMessage,
  encodeLine,
  type FromSandbox,
  type PrepareMessage,
  readLines,
  type ToSandbox,
} from "../protocol.ts";
import { startForwarder } from "./forwarder.ts";

/** What is done around a guest, by whether it has the process for itself. */
export interface HostGuestOptions {
  /** Path of the socket at which its keeper waits. */
  control: string;
  /** Before its Worker is started. */
  prepare(message: PrepareMessage): void;
  /** Before it is given its program. */
  assign?(message: AssignMessage): void;
  /** Ends it. */
  signal?: AbortSignal;
}

const REHEARSALS = 20;
const MAX_TEXT = 16 * 1024;
/** What many packages ask for when they are loaded. */
const HARMLESS_SYSTEM_INFORMATION = [
  "cpus",
  "homedir",
  "osRelease",
  "systemMemoryInfo",
  "uid",
  "gid",
] as const;

/**
 * Starts the Worker that carries one tenant, as its keeper says, and passes messages until the keeper's connection ends. A
 * Worker that is busy does not stop then.
 */
export async function hostGuest({ control, prepare, assign, signal }: HostGuestOptions): Promise<void> {
  const ended = new AbortController();
  const keeper = await Deno.connect({ transport: "unix", path: control });
  const close = () => keeper.close();
  signal?.addEventListener("abort", close);
  let guest: Worker | undefined;
  try {
    if (signal?.aborted) return;
    const send = sender(keeper);
    for await (const line of readLines(keeper.readable)) {
      const message = JSON.parse(line) as ToSandbox;
      if (message.type === "prepare") {
        prepare(message);
        if (message.proxy !== undefined) startForwarder({ ...message.proxy, signal: ended.signal });
        guest = startGuest(message, send);
        continue;
      }
      if (message.type === "assign") assign?.(message);
      guest!.postMessage(message);
    }
  } catch (error) {
    // Its keeper has its own view of why.
    if (!signal?.aborted) throw error;
  } finally {
    signal?.removeEventListener("abort", close);
    ended.abort();
    guest?.terminate();
  }
}
