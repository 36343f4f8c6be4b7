import assert from "node:assert/strict";
import { Buffer } from "node:buffer";

const MAX_CONNECTIONS = 256;

/** A forwarder in a process of its own, in front of the unix socket that a test serves. */
class Forwarder implements AsyncDisposable {
  readonly proxy: Deno.UnixListener;
  readonly #dir: string;
  readonly #process: Deno.ChildProcess;
  readonly #port: number;

  private constructor(dir: string, proxy: Deno.UnixListener, process: Deno.ChildProcess, port: number) {
    this.#dir = dir;
    this.proxy = proxy;
    this.#process = process;
    this.#port = port;
  }

  static async start(): Promise<Forwarder> {
    const dir = await Deno.makeTempDir({ prefix: "isola-forwarder-" });
    const egressSocket = `${dir}/egress.sock`;
    const proxy = Deno.listen({ transport: "unix", path: egressSocket });
    const module = new URL("./forwarder.ts", import.meta.url).href;
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `import { startForwarder } from "${module}";
        console.log(startForwarder({ port: 0, egressSocket: ${JSON.stringify(egressSocket)} }));`,
      ],
      stdout: "piped",
    }).spawn();
    for await (const chunk of process.stdout) {
      return new Forwarder(dir, proxy, process, Number(new TextDecoder().decode(chunk)));
    }
    throw new Error("Cannot start the forwarder");
  }

  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.#port });
  }

  async [Symbol.asyncDispose]() {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    this.proxy.close();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

/** The bytes of a direction that ends. */
async function bytesOf(conn: Deno.Conn): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = new Uint8Array(64 * 1024);
    const length = await conn.read(part);
    if (length === null) return Buffer.concat(parts);
    parts.push(part.subarray(0, length));
  }
}

/** Ends the direction after them. */
async function send(conn: Deno.Conn, bytes: Uint8Array) {
  for (let start = 0; start < bytes.length;) start += await conn.write(bytes.subarray(start));
  await conn.closeWrite();
}

function pattern(length: number, step: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * step) % 251);
}

Deno.test("either side may end its direction and still read the other's", async () => {
  await using forwarder = await Forwarder.start();
  for (const [first, second] of [["client", "proxy"], ["proxy", "client"]] as const) {
    using client = await forwarder.connect();
    using proxy = await forwarder.proxy.accept();
    const sides = { client, proxy };
    await send(sides[first], new TextEncoder().encode("question"));
    assert.equal(new TextDecoder().decode(await bytesOf(sides[second])), "question");
    await send(sides[second], new TextEncoder().encode("answer"));
    assert.equal(new TextDecoder().decode(await bytesOf(sides[first])), "answer");
  }
});

Deno.test("every byte arrives, in both directions at once", async () => {
  await using forwarder = await Forwarder.start();
  using client = await forwarder.connect();
  using proxy = await forwarder.proxy.accept();
  const [up, down] = [pattern(5_000_000, 7), pattern(3_000_000, 11)];
  const [atProxy, atClient] = await Promise.all([
    bytesOf(proxy),
    bytesOf(client),
    send(client, up),
    send(proxy, down),
  ]);
  assert.ok(Buffer.from(atProxy).equals(up) && Buffer.from(atClient).equals(down));
});

Deno.test("a side that goes away takes the other along", async () => {
  await using forwarder = await Forwarder.start();
  using client = await forwarder.connect();
  (await forwarder.proxy.accept()).close();
  assert.equal((await bytesOf(client)).length, 0);
});

Deno.test("256 connections at a time: one more is closed, until there is room again", async () => {
  await using forwarder = await Forwarder.start();
  const connections: Deno.Conn[] = [];
  for (let i = 0; i < MAX_CONNECTIONS; i++) {
    connections.push(await forwarder.connect(), await forwarder.proxy.accept());
  }
  using excess = await forwarder.connect();
  assert.equal(await excess.read(new Uint8Array(1)), null);
  for (const connection of connections.splice(0, 2)) connection.close();
  const accepted = forwarder.proxy.accept();
  for (let open = false; !open;) {
    const client = await forwarder.connect();
    connections.push(client);
    await client.write(new Uint8Array(1)).catch(() => {});
    open = await Promise.race([
      accepted.then(() => true),
      client.read(new Uint8Array(1)).then(() => false, () => false),
    ]);
  }
  connections.push(await accepted);
  for (const connection of connections) connection.close();
});
