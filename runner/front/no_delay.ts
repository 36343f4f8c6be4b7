import { openLibc } from "./libc.ts";

/** socket(7), tcp(7). */
const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const AF_INET = 2;
const INT_BYTES = 4;
/** `struct sockaddr_in` (ip(7)). */
const ADDRESS_BYTES = 16;
const STDIN = 0;

const SYMBOLS = {
  close: { parameters: ["i32"], result: "i32" },
  dup: { parameters: ["i32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
} as const;

/**
 * Sets `TCP_NODELAY` on TLS listeners: connections that they accept inherit it. Deno sets it on no TLS connection, which stalls
 * every response of several writes for 40 ms. Where there is no such library, that is how it is.
 */
export class NoDelay implements Disposable {
  readonly #libc: Deno.DynamicLibrary<typeof SYMBOLS> | null = openLibc(SYMBOLS);

  /**
   * Makes a listener on 127.0.0.1 and finds its descriptor: the lowest that was free before, or else by looking at all.
   *
   * @returns The listener, and whether the option is set.
   */
  listen(
    options: Deno.ListenTlsOptions & Deno.TlsCertifiedKeyPem,
  ): { listener: Deno.TlsListener; set: boolean } {
    const lowest = this.#lowestFree();
    const listener = Deno.listenTls(options);
    return { listener, set: this.#setOn(listener.addr.port, lowest) };
  }

  [Symbol.dispose](): void {
    this.#libc?.close();
  }

  #lowestFree(): number {
    const descriptor = this.#libc?.symbols.dup(STDIN) ?? -1;
    if (descriptor !== -1) this.#libc?.symbols.close(descriptor);
    return descriptor;
  }

  #setOn(port: number, guess: number): boolean {
    if (this.#libc === null) return false;
    // Another thread may have opened something in between.
    const descriptor = this.#isListener(guess, port) ? guess : this.#search(port);
    if (descriptor === null) return false;
    const on = Int32Array.of(1);
    return this.#libc.symbols.setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, on, INT_BYTES) === 0;
  }

  #search(port: number): number | null {
    for (const { name } of Deno.readDirSync("/proc/self/fd")) {
      if (this.#isListener(Number(name), port)) return Number(name);
    }
    return null;
  }

  #isListener(descriptor: number, port: number): boolean {
    if (this.#libc === null || descriptor < 0) return false;
    const { getsockopt, getsockname } = this.#libc.symbols;
    const accepts = new Int32Array(1);
    const length = Int32Array.of(INT_BYTES);
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, accepts, length) !== 0 || accepts[0] !== 1) {
      return false;
    }
    const address = new DataView(new ArrayBuffer(ADDRESS_BYTES));
    length[0] = ADDRESS_BYTES;
    if (getsockname(descriptor, address.buffer, length) !== 0) return false;
    // The family is in the order of the machine, the port in that of the network.
    return new Uint16Array(address.buffer)[0] === AF_INET && address.getUint16(2) === port;
  }
}
