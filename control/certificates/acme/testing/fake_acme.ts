import { AcmeClient } from "../acme_client.ts";
import { MemoryAccounts } from "./memory_accounts.ts";

/** An ACME server of a test's own, for answers that a real one would not give. */
export class FakeAcme implements AsyncDisposable {
  /** URL. */
  readonly origin: string;
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #clients: AcmeClient[] = [];

  /** @param answer What is answered for a path; `undefined` = as a server that is well. */
  constructor(
    answer: (path: string, request: Request) => Response | undefined | Promise<Response | undefined>,
  ) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const { pathname } = new URL(request.url);
      this.asked.push(pathname);
      return await answer(pathname, request) ?? this.#well(pathname);
    });
    this.origin = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async client(): Promise<AcmeClient> {
    const client = await AcmeClient.open({
      config: { directory: `${this.origin}/dir`, caFile: null, email: null, eab: null, dns: null },
      accounts: new MemoryAccounts(),
      publish: () => Promise.reject(new Error("nothing is published")),
      dnsServers: [],
      env: {},
    });
    this.#clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client[Symbol.dispose]();
    await this.#server.shutdown();
  }

  #well(path: string): Response {
    const paths = ["newNonce", "newAccount", "newOrder", "renewalInfo"];
    const directory = Object.fromEntries(paths.map((path) => [path, `${this.origin}/${path}`]));
    const headers = { "replay-nonce": crypto.randomUUID(), location: `${this.origin}/made` };
    return Response.json(path === "/dir" ? directory : {}, { headers });
  }
}

/** A problem document. */
export function problem(type: string, status: number, members: Record<string, unknown> = {}): Response {
  return Response.json(
    { type: `urn:ietf:params:acme:error:${type}`, detail: `because of ${type}`, ...members },
    { status, headers: { "replay-nonce": crypto.randomUUID() } },
  );
}
