import assert from "node:assert/strict";
import { LoggedProcess } from "./logged_process.ts";
import { isRunning } from "./processes.ts";
import { ISOLA, startTestServer, type TestServer, until } from "./server.ts";
import { VisitorSocket } from "./visitor_socket.ts";

/** Answers at once, after two seconds, for two seconds, or by WebSocket. */
const APP = `
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  async function* events() {
    for (let count = 0; count < 20; count++) {
      yield new TextEncoder().encode("data: " + count + "\\n\\n");
      await sleep(100);
    }
  }
  Deno.serve(async (request) => {
    if (request.headers.get("upgrade") === "websocket") return Deno.upgradeWebSocket(request).response;
    const { pathname } = new URL(request.url);
    if (pathname === "/slow") await sleep(2000);
    if (pathname === "/events") return new Response(ReadableStream.from(events()));
    return new Response("answered");
  });
`;
const ENDS: Record<string, RegExp> = { "/": /^answered$/, "/slow": /^answered$/, "/events": /data: 19\n\n$/ };

/** Visitors who come all the time, each as soon as the one before was answered. */
class Load implements AsyncDisposable {
  readonly #port: number;
  readonly #kept = Deno.createHttpClient({ allowHost: true });
  readonly #fresh = Deno.createHttpClient({ allowHost: true, poolMaxIdlePerHost: 0 });
  readonly #visitors: Promise<void>[];
  readonly failures: string[] = [];
  answered = 0;
  #isOver = false;

  constructor(port: number) {
    this.#port = port;
    const twice = [this.#kept, this.#fresh, this.#kept, this.#fresh];
    this.#visitors = Object.keys(ENDS).flatMap((path) => twice.map((client) => this.#visit(client, path)));
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#visitors);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    this.#kept.close();
    this.#fresh.close();
  }

  async #visit(client: Deno.HttpClient, path: string): Promise<void> {
    while (!this.#isOver) {
      try {
        const headers = { host: `shop.localhost:${this.#port}` };
        const response = await fetch(`http://127.0.0.1:${this.#port}${path}`, { client, headers });
        const text = await response.text();
        if (response.status === 200 && ENDS[path]!.test(text)) this.answered++;
        else this.failures.push(`${path}: ${response.status} ${text.slice(0, 200)}`);
      } catch (error) {
        this.failures.push(`${path}: ${error}`);
      }
    }
  }
}

/** Starts a server like this one, beside it. */
function startBeside(old: TestServer, env: Record<string, string> = {}): Promise<TestServer> {
  return startTestServer({
    dataDir: old.dataDir,
    args: ["--take-over"],
    env: { ...addressesOf(old), ...env },
  });
}

function addressesOf({ httpPort, controlUrl }: TestServer) {
  return { ISOLA_HTTP_ADDR: `127.0.0.1:${httpPort}`, ISOLA_CONTROL_ADDR: controlUrl.slice("http://".length) };
}

/** Runs a start that fails; what it printed. */
async function failedStart(env: Record<string, string>, ...args: string[]): Promise<string> {
  await using process = new LoggedProcess([...ISOLA, "serve", ...args], { env });
  await until("the start fails", () => !process.isRunning, 30_000, () => process.output);
  assert.equal((await process.kill("SIGTERM")).code, 1);
  return process.output;
}

Deno.test("a server takes over from another one, which no visitor notices, and another one from it", async () => {
  await using first = await startTestServer();
  const { id } = await first.deploy("shop", APP);
  await using load = new Load(first.httpPort);
  let old = first;
  await using started = new AsyncDisposableStack();
  for (let upgrade = 1; upgrade <= 2; upgrade++) {
    await until("visitors are answered", () => load.answered > 100 * upgrade);
    const socket = await VisitorSocket.open(first.httpPort, "shop.localhost", "/");
    const next = started.use(await startBeside(old));
    assert.equal((await socket.closed).code, 1001);
    const { pid } = old;
    await until(
      "the older server ends",
      () => !isRunning(pid),
      20_000,
      () => `${old.output}\n${next.output}`,
    );
    assert.equal((await old.kill("SIGTERM")).code, 0);
    assert.match(old.output, /Another server has taken over: finishing what is in flight\n/);
    assert.equal((await next.api("GET", `/v1/deployments/${id}`)).status, "success");
    await next.deploy(`later-${upgrade}`, `Deno.serve(() => new Response("later ${upgrade}"))`);
    assert.equal(await next.text(`later-${upgrade}`), `later ${upgrade}`);
    old = next;
  }
  await load.end();
  assert.deepEqual(load.failures, []);
});

Deno.test("builds that have not ended when another server takes over are done by that one", async () => {
  await using server = await startTestServer();
  const projectId = await server.project("shop");
  const body = {
    entryPointUrl: "main.ts",
    assets: { "main.ts": { kind: "file", content: APP } },
    envVars: {},
  };
  /** Returns nothing once the server does not answer. */
  const create = async () => {
    try {
      return (await server.api("POST", `/v1/projects/${projectId}/deployments`, body)).id;
    } catch (error) {
      assert(error instanceof TypeError, `${error}`);
    }
  };
  const next = startBeside(server);
  const created: string[] = [];
  let isReplaced = false;
  const replaced = next.finally(() => isReplaced = true);
  while (!isReplaced) {
    const id = await create();
    if (id === undefined) break;
    created.push(id);
  }
  await using younger = await replaced;
  for (const id of created) {
    assert.equal((await younger.built(id)).status, "success", JSON.stringify(await younger.buildLog(id)));
  }
});

Deno.test("if a server cannot take over, the one before it goes on with all that it did", async () => {
  await using server = await startTestServer();
  await server.deploy("shop", APP);
  using foreign = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${foreign.addr.port}`;
  const env = { ...addressesOf(server), ISOLA_DATA_DIR: server.dataDir, ISOLA_HTTP_ADDR: address };
  const output = await failedStart(env, "--take-over");
  assert.match(output, /Cannot start the server: .*in use/i);
  const isBack = () => server.output.includes("The server that was to take over has ended: this one goes on");
  await until("the server has its data directory back", isBack);
  assert.equal(await server.text("shop"), "answered");
  await server.deploy("later", APP);
  assert.equal(await server.text("later"), "answered");
  assert.equal((await server.kill("SIGTERM")).code, 0);
});

Deno.test("a second start that is not told to take over is refused, and says how to", async () => {
  await using server = await startTestServer();
  const same = await failedStart({ ...addressesOf(server), ISOLA_DATA_DIR: server.dataDir });
  assert.match(
    same,
    new RegExp(`another server holds it \\(process ${server.pid}\\); "serve --take-over" replaces it`),
  );
  const dataDir = await Deno.makeTempDir({ prefix: "isola-test-" });
  const other = { ...addressesOf(server), ISOLA_CONTROL_ADDR: "127.0.0.1:0", ISOLA_DATA_DIR: dataDir };
  const inUse = new RegExp(`Cannot listen on "127\\.0\\.0\\.1:${server.httpPort}": .*in use`, "i");
  assert.match(await failedStart(other), inUse);
  assert.match(await failedStart(other, "--take-over"), inUse);
  await Deno.remove(dataDir, { recursive: true });
});
