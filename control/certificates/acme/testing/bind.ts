import { once } from "node:events";
import { createServer } from "node:net";

/** The zone that a {@linkcode Bind} serves, and the key that may update it. */
export const ZONE = "example.test";
/** TSIG keys of the test's name server: only the first may update the zone. */
export const KEYS = {
  allowed: {
    keyName: "updater",
    keySecret: "c2VjcmV0IG9mIHRoZSB1cGRhdGVyISEhISEhISEhISE=",
    keyAlgorithm: "hmac-sha256",
  },
  other: {
    keyName: "other",
    keySecret: "c2VjcmV0IG9mIHNvbWVib2R5IGVsc2UhISEhISEhISE=",
    keyAlgorithm: "hmac-sha512",
  },
} as const;

const NAMED = "/usr/sbin/named";
const START_TIMEOUT_MS = 20_000;

/** Whether Debian's package `bind9` is installed. */
export const hasBind: boolean = await Deno.stat(NAMED).then(() => true, () => false);

/** A name server (Debian's package `bind9`) that takes dynamic updates of one zone. */
export class Bind implements AsyncDisposable {
  /** `address:port`, UDP and TCP. */
  readonly server: string;
  readonly #process: Deno.ChildProcess;
  readonly #dir: string;

  private constructor(server: string, process: Deno.ChildProcess, dir: string) {
    this.server = server;
    this.#process = process;
    this.#dir = dir;
  }

  static async start(): Promise<Bind> {
    const dir = await Deno.makeTempDir({ prefix: "isola-bind-" });
    const port = await freePort();
    await Deno.writeTextFile(`${dir}/named.conf`, configuration(dir, port));
    await Deno.writeTextFile(
      `${dir}/zone`,
      `$TTL 60\n@ SOA ns admin 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n`,
    );
    const process = new Deno.Command(NAMED, {
      args: ["-g", "-c", `${dir}/named.conf`, "-n", "1"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const bind = new Bind(`127.0.0.1:${port}`, process, dir);
    await bind.#ready();
    return bind;
  }

  /** The TXT records of a name. */
  async txt(name: string): Promise<string[]> {
    const [ipAddr, port] = this.server.split(":") as [string, string];
    try {
      const records = await Deno.resolveDns(name, "TXT", { nameServer: { ipAddr, port: Number(port) } });
      return records.map((strings) => strings.join(""));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await Deno.remove(this.#dir, { recursive: true });
  }

  async #ready(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    const [hostname, port] = this.server.split(":") as [string, string];
    // A query that comes too early is lost, and waited for.
    const connects = () => Deno.connect({ hostname, port: Number(port) }).then((conn) => conn.close());
    while (!await connects().then(() => true, () => false)) {
      if (performance.now() > deadline) throw new Error("Cannot start named: it does not listen");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function configuration(dir: string, port: number): string {
  const keys = Object.values(KEYS).map(({ keyName, keySecret, keyAlgorithm }) =>
    `key "${keyName}" { algorithm ${keyAlgorithm}; secret "${keySecret}"; };`
  );
  return `
    options {
      directory "${dir}"; pid-file none; session-keyfile none; managed-keys-directory "${dir}";
      listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
      recursion no; dnssec-validation no; notify no;
    };
    controls { };
    ${keys.join("\n")}
    zone "${ZONE}" { type primary; file "zone"; allow-update { key "${KEYS.allowed.keyName}"; }; };
  `;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await once(server.close(), "close");
  return port;
}
