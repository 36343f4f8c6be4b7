import assert from "node:assert/strict";
import { CliError } from "./cli_error.ts";
import { ApiClient } from "./client.ts";

/** A server that answers with these statuses in turn, then with 200 and an empty list. */
function startFailing(...statuses: number[]) {
  const bodies: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    bodies.push(await request.text());
    const status = statuses.shift() ?? 200;
    return Response.json(status === 200 ? [] : { code: "x", message: "not now" }, { status });
  });
  const { signal } = new AbortController();
  const url = `http://127.0.0.1:${server.addr.port}`;
  const client = new ApiClient({ url, token: "t", signal, retryDelayMs: 1 });
  return {
    client,
    bodies,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await server.shutdown();
    },
  };
}

Deno.test("an idempotent call is sent again, its body anew, after 5xx", async () => {
  await using server = startFailing(503, 500, 502);
  const body = () => Promise.resolve(new Blob(["content"]).stream());
  await server.client.uploadAsset("p", { path: "a.txt", gitSha1: "0" }, body);
  assert.deepEqual(server.bodies, ["content", "content", "content", "content"]);
});

Deno.test("after four attempts the server's last word stands", async () => {
  await using server = startFailing(500, 500, 500, 500);
  await assert.rejects(
    server.client.isolates(),
    new CliError("failed", "Cannot list isolates: not now", { apiCode: "x" }),
  );
  assert.equal(server.bodies.length, 4);
});

Deno.test("what would be done twice is not sent again, and a refusal is final", async () => {
  await using server = startFailing(500);
  const request = { entryPointUrl: "main.ts", assets: {}, envVars: {} };
  await assert.rejects(server.client.createDeployment("p", request), /Cannot create deployment: not now/);
  assert.equal(server.bodies.length, 1);
  await using refusing = startFailing(404);
  await assert.rejects(refusing.client.isolates(), /not now/);
  assert.equal(refusing.bodies.length, 1);
});

Deno.test("a stream that breaks off ends the call as unreachable", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(4096));
    const head =
      "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";
    const line = `{"level":"info","message":"one"}\n`;
    await connection.write(new TextEncoder().encode(`${head}${line.length.toString(16)}\r\n${line}\r\n`));
  })();
  const { signal } = new AbortController();
  using client = new ApiClient({ url: `http://127.0.0.1:${listener.addr.port}`, token: undefined, signal });
  const lines = await client.buildLogs("abc");
  assert.deepEqual((await lines.next()).value, { level: "info", message: "one" });
  await assert.rejects(lines.next(), (error) => error instanceof CliError && error.code === "unreachable");
  await serving;
});

Deno.test("a server on this machine is reached directly, whatever proxy the environment names", async () => {
  await using server = startFailing();
  const script = `
    const { ApiClient } = await import(${JSON.stringify(import.meta.resolve("./client.ts"))});
    using client = new ApiClient({ url: "${server.client.url}", token: "t", signal: new AbortController().signal });
    console.log(JSON.stringify(await client.isolates()));`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", script],
    env: { HTTP_PROXY: "http://127.0.0.1:9", http_proxy: "http://127.0.0.1:9", NO_PROXY: "", no_proxy: "" },
  }).output();
  assert.equal(new TextDecoder().decode(stdout), "[]\n", new TextDecoder().decode(stderr));
});
