import type { EgressUsage } from "./contract.ts";
import type { EgressLimits } from "./limits.ts";
import type { Turns } from "./turns.ts";

/** At first: most connections carry little at a time and stay open. */
const MIN_CHUNK_BYTES = 4 * 1024;
/** All that is held for each direction; no more is read until it is written. */
const MAX_CHUNK_BYTES = 64 * 1024;
const CHUNK_GROWTH = 4;

/** What a tunnel runs by. */
export interface TunnelOptions {
  usage: EgressUsage;
  limits: EgressLimits;
  turns: Turns;
}

/** Carries bytes both ways between a sandbox and the world, and passes on each side's end. */
export class Tunnel {
  readonly #client: Deno.Conn;
  readonly #upstream: Deno.Conn;
  readonly #options: TunnelOptions;
  #lastActiveAt = performance.now();
  #halfClosed = false;
  #watch: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Deno.Conn, upstream: Deno.Conn, options: TunnelOptions) {
    this.#client = client;
    this.#upstream = upstream;
    this.#options = options;
  }

  /** Until both sides have ended, one is lost, or nothing was said for too long. Closes both. */
  async run(early: Uint8Array): Promise<void> {
    const { usage } = this.#options;
    this.#watchIdleness();
    await Promise.all([
      this.#carry(this.#client, this.#upstream, (bytes) => usage.egressBytes += bytes, early),
      this.#carry(this.#upstream, this.#client, (bytes) => usage.ingressBytes += bytes),
    ]);
    this.close();
  }

  close(): void {
    clearTimeout(this.#watch);
    this.#client[Symbol.dispose]();
    this.#upstream[Symbol.dispose]();
  }

  async #carry(
    from: Deno.Conn,
    to: Deno.Conn,
    count: (bytes: number) => void,
    early?: Uint8Array,
  ): Promise<void> {
    try {
      if (early !== undefined) await this.#write(to, early, count);
      let chunk = new Uint8Array(MIN_CHUNK_BYTES);
      for (;;) {
        const length = await from.read(chunk);
        if (length === null) break;
        await this.#write(to, chunk.subarray(0, length), count);
        if (length === chunk.length && length < MAX_CHUNK_BYTES) {
          chunk = new Uint8Array(length * CHUNK_GROWTH);
        }
        await this.#options.turns.pass(this.#options.usage.id);
      }
      this.#halfClosed = true;
      this.#lastActiveAt = performance.now();
      this.#watchIdleness();
      await to.closeWrite();
    } catch {
      // One side is lost, or `close` was called: whatever the kernel says of it, there is nobody to carry for.
      this.close();
    }
  }

  async #write(to: Deno.Conn, bytes: Uint8Array, count: (bytes: number) => void): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const written = await to.write(at === 0 ? bytes : bytes.subarray(at));
      at += written;
      count(written);
      this.#lastActiveAt = performance.now();
    }
  }

  /** One timer which is set anew only when it is over: bytes cost a timestamp. */
  #watchIdleness(): void {
    const { idleTimeoutMs, halfClosedTimeoutMs } = this.#options.limits;
    const leftMs = this.#lastActiveAt + (this.#halfClosed ? halfClosedTimeoutMs : idleTimeoutMs) -
      performance.now();
    clearTimeout(this.#watch);
    if (leftMs <= 0) this.close();
    else this.#watch = setTimeout(() => this.#watchIdleness(), leftMs);
  }
}
