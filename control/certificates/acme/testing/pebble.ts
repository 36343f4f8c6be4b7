import { once } from "node:events";
import { createServer } from "node:net";
import { type ServerIdentity, serverIdentity } from "./server_identity.ts";

/** What a {@linkcode Pebble} is like. */
export interface PebbleOptions {
  /** Where it looks for answers to http-01. @default {1} nobody listens there */
  httpPort?: number;
  /** `address:port` of the DNS server that it asks. @default {its own} */
  dnsServer?: string;
  /** How many good nonces it rejects, in percent. @default {5} */
  nonceRejectPercent?: number;
  /** How often it reuses an authorization that is valid, in percent. @default {50} */
  authorizationReusePercent?: number;
  /** External accounts that it requires one of: base64url HMAC key by id. */
  externalAccounts?: Record<string, string>;
}

/** Ports are chosen before they are bound, so that another process may take one meanwhile. */
const MAX_STARTS = 5;
const START_TIMEOUT_MS = 20_000;

/**
 * Let's Encrypt's test server (Debian's package `pebble`) and its DNS server, in which every name leads to 127.0.0.1 unless
 * a test says otherwise.
 */
export class Pebble implements AsyncDisposable {
  readonly directory: string;
  /** `address:port` of the DNS server that it asks. */
  readonly dnsServer: string;
  /** PEM with which it is trusted. */
  readonly ca: string;
  /** Where the same is in a file. */
  readonly caFile: string;
  readonly #client: Deno.HttpClient;
  readonly #managementUrl: string;
  readonly #dnsUrl: string;
  readonly #processes: readonly Deno.ChildProcess[];
  readonly #dir: string;

  private constructor(
    place: Place,
    { acme, management, dnsManagement }: Ports,
    dnsServer: string,
    processes: readonly Deno.ChildProcess[],
  ) {
    this.directory = `https://127.0.0.1:${acme}/dir`;
    this.dnsServer = dnsServer;
    this.ca = place.identity.ca;
    this.caFile = `${place.dir}/ca.pem`;
    this.#client = Deno.createHttpClient({ caCerts: [place.identity.ca] });
    this.#managementUrl = `https://127.0.0.1:${management}`;
    this.#dnsUrl = `http://127.0.0.1:${dnsManagement}`;
    this.#processes = processes;
    this.#dir = place.dir;
  }

  static async start(options: PebbleOptions = {}): Promise<Pebble> {
    for (let attempt = 1;; attempt++) {
      const pebble = await Pebble.#tryStart(options);
      try {
        await pebble.#ready();
        return pebble;
      } catch (error) {
        await pebble[Symbol.asyncDispose]();
        if (attempt === MAX_STARTS) throw error;
      }
    }
  }

  static async #tryStart(options: PebbleOptions): Promise<Pebble> {
    const place = await makePlace();
    const ports = await freePorts();
    const { dnsServer = `127.0.0.1:${ports.dns}` } = options;
    await Deno.writeTextFile(
      `${place.dir}/pebble.json`,
      JSON.stringify(configuration(place.dir, ports, options)),
    );
    const processes = [
      spawn("pebble-challtestsrv", [
        ...["-dns01", `127.0.0.1:${ports.dns}`, "-management", `127.0.0.1:${ports.dnsManagement}`],
        ...["-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""],
      ]),
      spawn("pebble", ["-config", `${place.dir}/pebble.json`, "-dnsserver", dnsServer, "-strict"], {
        PEBBLE_VA_NOSLEEP: "1",
        PEBBLE_WFE_NONCEREJECT: `${options.nonceRejectPercent ?? 5}`,
        PEBBLE_AUTHZREUSE: `${options.authorizationReusePercent ?? 50}`,
      }),
    ];
    return new Pebble(place, ports, dnsServer, processes);
  }

  /** The root that issued certificates lead to, as PEM. */
  async root(): Promise<string> {
    const response = await fetch(`${this.#managementUrl}/roots/0`, { client: this.#client });
    return await response.text();
  }

  /** Adds a TXT record. */
  async setTxt(name: string, value: string): Promise<void> {
    await this.#tellDns("set-txt", { host: `${name}.`, value });
  }

  /** Removes all TXT records of a name. */
  async clearTxt(name: string): Promise<void> {
    await this.#tellDns("clear-txt", { host: `${name}.` });
  }

  /** Replaces where a name leads to. */
  async setA(name: string, addresses: string[]): Promise<void> {
    await this.#tellDns("clear-a", { host: `${name}.` });
    await this.#tellDns("add-a", { host: `${name}.`, addresses });
  }

  async setCname(name: string, target: string): Promise<void> {
    await this.#tellDns("set-cname", { host: `${name}.`, target: `${target}.` });
  }

  /** Lets queries for a name fail. */
  async setServFail(name: string): Promise<void> {
    await this.#tellDns("set-servfail", { host: `${name}.` });
  }

  /** Which authorities may sign for a name. */
  async setCaa(name: string, authority: string): Promise<void> {
    await this.#tellDns("add-caa", { host: `${name}.`, policies: [{ tag: "issue", value: authority }] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await Promise.all(this.#processes.map(end));
    await Deno.remove(this.#dir, { recursive: true });
  }

  async #tellDns(path: string, body: unknown): Promise<void> {
    const response = await fetch(`${this.#dnsUrl}/${path}`, { method: "POST", body: JSON.stringify(body) });
    await response.body?.cancel();
    if (!response.ok) {
      throw new Error(`Cannot ${path} at the test's DNS server: it answered ${response.status}`);
    }
  }

  async #ready(): Promise<void> {
    const ended = new AbortController();
    for (const { status } of this.#processes) {
      status.then(() => ended.abort(new Error("Cannot start pebble: it ended")));
    }
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
    await untilAnswers(() => fetch(this.directory, { client: this.#client, signal }), signal);
    await untilAnswers(() => fetch(this.#managementUrl, { client: this.#client, signal }), signal);
    await untilAnswers(() => fetch(this.#dnsUrl, { signal }), signal);
  }
}

interface Place {
  dir: string;
  identity: ServerIdentity;
}

interface Ports {
  acme: number;
  management: number;
  dns: number;
  dnsManagement: number;
}

async function makePlace(): Promise<Place> {
  const identity = await serverIdentity();
  const dir = await Deno.makeTempDir({ prefix: "isola-pebble-" });
  await Deno.writeTextFile(`${dir}/ca.pem`, identity.ca);
  await Deno.writeTextFile(`${dir}/cert.pem`, identity.cert);
  await Deno.writeTextFile(`${dir}/key.pem`, identity.key);
  return { dir, identity };
}

function configuration(dir: string, ports: Ports, { httpPort = 1, externalAccounts }: PebbleOptions) {
  return {
    pebble: {
      listenAddress: `127.0.0.1:${ports.acme}`,
      managementListenAddress: `127.0.0.1:${ports.management}`,
      certificate: `${dir}/cert.pem`,
      privateKey: `${dir}/key.pem`,
      httpPort,
      tlsPort: 1,
      ocspResponderURL: "",
      externalAccountBindingRequired: externalAccounts !== undefined,
      externalAccountMACKeys: externalAccounts,
    },
  };
}

async function freePorts(): Promise<Ports> {
  const servers = await Promise.all(Array.from({ length: 4 }, async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
  }));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  const [acme, management, dns, dnsManagement] = ports as [number, number, number, number];
  return { acme, management, dns, dnsManagement };
}

function spawn(command: string, args: string[], env?: Record<string, string>): Deno.ChildProcess {
  return new Deno.Command(command, { args, env, stdin: "null", stdout: "null", stderr: "null" }).spawn();
}

async function end(process: Deno.ChildProcess): Promise<void> {
  try {
    process.kill("SIGKILL");
  } catch {
    // It has ended by itself.
  }
  await process.status;
}

async function untilAnswers(ask: () => Promise<Response>, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      const response = await ask();
      await response.body?.cancel();
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
