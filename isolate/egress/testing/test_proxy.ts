import type { EgressUsage, Net } from "../contract.ts";
import { EgressProxy, type EgressSurroundings } from "../egress_proxy.ts";
import type { Resolver } from "../resolver.ts";
import { SocksClient } from "./socks_client.ts";

/** How a {@linkcode TestProxy} differs from one that allows every public target. */
export interface TestProxyOptions extends EgressSurroundings {
  allowPrivate?: string[];
  net?: Net;
}

/** A real proxy with the one sandbox "s1". */
export class TestProxy implements AsyncDisposable {
  readonly proxy: EgressProxy;
  readonly #directory = Deno.makeTempDirSync({ prefix: "isola-egress-" });
  readonly socketPath = `${this.#directory}/egress.sock`;

  constructor({ allowPrivate = [], net = true, ...surroundings }: TestProxyOptions = {}) {
    this.proxy = new EgressProxy({ allowPrivate }, surroundings);
    this.open("s1", net);
  }

  /** Opens a further sandbox, and answers where its socket is. */
  open(id: string, net: Net = true): string {
    const path = id === "s1" ? this.socketPath : `${this.#directory}/${id}.sock`;
    this.proxy.open(id, path);
    this.proxy.allow(id, net);
    return path;
  }

  client(): Promise<SocksClient> {
    return SocksClient.open(this.socketPath);
  }

  /** The reply's code. */
  async connect(host: string, port: number, asName = false): Promise<number> {
    using client = await this.client();
    return await client.connect(host, port, asName);
  }

  /** The answer to a question about a name. */
  async resolve(name: string, type: string): Promise<{ records?: unknown[]; error?: { code: string } }> {
    using client = await this.client();
    await client.write(JSON.stringify({ resolve: { name, type } }) + "\n");
    return JSON.parse(await client.readText());
  }

  get usage(): EgressUsage {
    return this.proxy.usage()[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** A resolver that has these addresses, and no other names. */
export function fixedResolver(addresses: Readonly<Record<string, readonly string[]>>): Resolver {
  return {
    addresses: (name) => Promise.resolve([...addresses[name] ?? []]),
    records: () => Promise.resolve([]),
  };
}

/** Waits until `condition` holds; fails after 10 s. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error(`Cannot wait any longer for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
