import { join } from "node:path";
import { type Egress, startEgress } from "../../isolate/mod.ts";

/** What {@linkcode WayOut} works with. */
export interface WayOutOptions {
  /** Where sockets may be made; a short path (unix(7)). */
  socketsDir: string;
  /** Targets that may be reached though they are private, as "host:port" or "host". */
  allowPrivate: readonly string[];
}

/** The way to the repositories of others: an egress proxy, by the same rules as for isolates, started when it is needed. */
export class WayOut implements AsyncDisposable {
  readonly #options: WayOutOptions;
  #egress: Promise<Egress> | undefined;
  #opened = 0;

  constructor(options: WayOutOptions) {
    this.#options = options;
  }

  /**
   * Gives `work` the socket of a proxy that leads to the host of `url` alone.
   *
   * @throws What `work` throws.
   */
  async to<Result>(url: string, work: (egressSocket: string) => Promise<Result>): Promise<Result> {
    this.#egress ??= this.#start().catch((error) => {
      this.#egress = undefined;
      throw error;
    });
    const egress = await this.#egress;
    const id = `git-${++this.#opened}`;
    const socket = join(this.#options.socketsDir, id);
    await egress.open(id, socket);
    try {
      egress.allow(id, [target(url)]);
      return await work(socket);
    } finally {
      await egress.close(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#egress)?.[Symbol.asyncDispose]();
  }

  async #start(): Promise<Egress> {
    const { allowPrivate, socketsDir } = this.#options;
    await Deno.mkdir(socketsDir, { recursive: true, mode: 0o700 });
    return await startEgress({ allowPrivate }, (error) => {
      console.error("Cannot reach repositories any more:", error);
      this.#egress = undefined;
    });
  }
}

function target(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  return `${hostname}:${port || (protocol === "http:" ? 80 : 443)}`;
}
