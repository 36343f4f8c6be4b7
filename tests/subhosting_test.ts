import assert from "node:assert/strict";
import { appSource, until } from "./server.ts";
import { referenceDeployments } from "./reference_deployments.ts";
import { bytesOf, fieldValues, rawRequest, type RawResponse } from "./raw_http.ts";
import { newSecret, RelayedServer } from "./relayed_server.ts";
import { VisitorSocket } from "./visitor_socket.ts";

const MIB = 1024 ** 2;
const LARGE_BYTES = 64 * MIB;

let relayed: RelayedServer;
/** What the program that may connect out finds. */
let target: Deno.HttpServer<Deno.NetAddr>;
/** An origin that has nothing, and remembers who asked. */
let bare: Deno.HttpServer<Deno.NetAddr>;
const asked: { url: string; token: string }[] = [];
const bareRoot = () => `http://127.0.0.1:${bare.addr.port}/`;

Deno.test.beforeAll(async () => {
  const quiet = { hostname: "127.0.0.1", port: 0, onListen() {} };
  target = Deno.serve(quiet, () => new Response("reached"));
  bare = Deno.serve(quiet, (request) => {
    asked.push({
      url: request.url,
      token: request.headers.get("authorization")?.slice("Bearer ".length) ?? "",
    });
    return new Response(null, { status: 404 });
  });
  relayed = await RelayedServer.start({
    deployments: {
      ...await referenceDeployments(`127.0.0.1:${target.addr.port}`),
      "d-prewarmed": {
        "main.js": "let count = 0; Deno.serve(() => new Response(`asked ${++count} times`));",
      },
      relayed: { "main.js": appSource("relayed.js") },
    },
    rpcRoots: [bareRoot()],
    config: { egress: { allowPrivate: ["127.0.0.1"] } },
  });
});

Deno.test.afterAll(async () => {
  await relayed?.[Symbol.asyncDispose]();
  await target.shutdown();
  await bare.shutdown();
});

/** A request to the relay in raw bytes. */
function raw(line: string, fields = "Accept: */*", body = ""): Promise<RawResponse> {
  const head = `${line} HTTP/1.1\r\nHost: ${
    relayed.host("relayed")
  }\r\n${fields}\r\nConnection: close\r\n\r\n`;
  return rawRequest(relayed.relayPort, head + body);
}

Deno.test("a subhosted program answers, and sees its URL, variables, module, headers and visitor", async () => {
  assert.equal(await relayed.text("d-ephemeral"), "Hello, World!");
  assert.equal(await relayed.text("d-url", "/a%20b?c=%2f"), `http://${relayed.host("d-url")}/a%20b?c=%2f`);
  assert.equal(await relayed.text("d-envs"), "Grüße, 世界");
  assert.equal(await relayed.text("d-meta"), "file:///src/main.js");
  assert.equal(await relayed.text("d-meta-remote"), "https://example.com/app/main.js");
  assert.equal(await relayed.text("d-eszip"), "file:///src/text.ts");
  const headers = JSON.parse(
    await relayed.text("d-headers", "/", {
      headers: { "x-own": "1", "x-deno-subhost": "a visitor's", "x-forwarded-for": "6.6.6.6" },
    }),
  );
  assert.equal(headers["x-own"], "1");
  assert.equal(headers["x-forwarded-host"], relayed.host("d-headers"));
  assert.equal(headers.host, relayed.host("d-headers"));
  assert.equal(headers["x-forwarded-proto"], "http");
  assert.equal(headers.remote, "127.0.0.1");
  assert.deepEqual(Object.keys(headers).filter((name) => /deno|isola/.test(name)), []);
});

Deno.test("a subhosted program reads its files and no others, asynchronously, and writes none", async () => {
  assert.deepEqual(JSON.parse(await relayed.text("d-files")), {
    relative: "Hello from a file",
    absolute: "deeper",
    size: 17,
    names: ["deep", "hello.txt"],
    outside: "NotFound",
    write: "PermissionDenied",
    sync: "NotSupported",
  });
});

Deno.test("a subhosted program connects to what its configuration names", async () => {
  assert.equal(await relayed.text("d-net-allowed"), "reached");
  assert.match(await relayed.text("d-net-blocked"), /^NotCapable: Requires net access to "127/);
});

Deno.test("each deployment id is a program of its own, whatever hostname leads to it", async () => {
  assert.equal(await relayed.text("d-first"), "d-first");
  assert.equal(await relayed.text("d-second"), "d-second");
  for (const id of ["d-first", "d-second"]) {
    const response = await relayed.ask(await relayed.sign(id));
    assert.equal(await response.text(), id);
  }
  const unknown = await relayed.fetch("nobody");
  assert.equal(unknown.status, 404);
  await unknown.body?.cancel();
  const missing = await relayed.ask(await relayed.sign("d-missing"), { accept: "application/json" });
  assert.equal(missing.status, 404);
  assert.equal((await missing.json()).code, "DEPLOYMENT_NOT_FOUND");
});

Deno.test("server-sent events come one by one through the relay", async () => {
  const response = await relayed.fetch("relayed", "/events");
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await reader.read()).value, "data: one\n\n");
  await relayed.text("relayed", "/release");
  assert.equal((await reader.read()).value, "data: two\n\n");
  assert((await reader.read()).done);
});

Deno.test("a WebSocket through the relay keeps its protocol, its messages and its end", async () => {
  const socket = await VisitorSocket.open(relayed.relayPort, relayed.host("relayed"), "/socket", {
    protocols: ["echo"],
  });
  assert.equal(socket.protocol, "echo");
  socket.send("text");
  assert.equal(await socket.next(), "text");
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  socket.send(bytes);
  assert.deepEqual(await socket.next(), bytes);
  socket.send("close");
  assert.deepEqual(await socket.closed, { code: 4001, reason: "done" });
});

Deno.test("large bodies stream both ways through the relay", async () => {
  const response = await relayed.fetch("relayed", `/zeros?bytes=${LARGE_BYTES}`);
  let bytes = 0;
  for await (const chunk of response.body!) bytes += chunk.length;
  assert.equal(bytes, LARGE_BYTES);
  const body = new Blob(Array.from({ length: LARGE_BYTES / MIB }, () => new Uint8Array(MIB))).stream();
  assert.equal(await relayed.text("relayed", "/count", { method: "POST", body }), `${LARGE_BYTES}`);
});

Deno.test("a compressed body comes byte for byte, and every field as often as it was set", async () => {
  const compressed = new Blob(["text ".repeat(1000)]).stream().pipeThrough(new CompressionStream("gzip"));
  const body = await new Response(compressed).bytes();
  const response = await raw(`GET /gzip?body=${encodeURIComponent(body.toBase64())}`);
  assert.deepEqual(fieldValues(response, "content-encoding"), ["gzip"]);
  assert.deepEqual(fieldValues(response, "set-cookie"), ["a=1", "b=2"]);
  assert.deepEqual(bytesOf(response.body), body);
});

Deno.test("a visitor cannot have the relay drop the framing of a body, and hide a second request in it", async () => {
  const hidden = "GET /aborted HTTP/1.1\r\nHost: hidden\r\n\r\n";
  for (const [method, path] of [["POST", "/count"], ["DELETE", "/count"]]) {
    const fields = `Connection: content-length\r\nContent-Length: ${hidden.length}`;
    const { status, body } = await raw(`${method} ${path}`, fields, hidden);
    assert.deepEqual([status, body], [200, `${hidden.length}`]);
  }
});

Deno.test("a visitor who leaves the relay aborts the request in the program", async () => {
  const left = new AbortController();
  const waiting = relayed.fetch("relayed", "/wait?name=left", { signal: left.signal });
  const isAsked = async () => (await relayed.server.isolate("example/relayed"))?.inFlight === 1;
  await until("the program has the request", isAsked);
  left.abort();
  await assert.rejects(waiting);
  await until("it is aborted", async () => await relayed.text("relayed", "/aborted") === '["left"]');
});

Deno.test("with x-deno-prewarm a deployment is started, and not asked", async () => {
  const token = await relayed.sign("d-prewarmed");
  const response = await relayed.ask(token, { "x-deno-prewarm": "1" });
  assert.equal(response.status, 200, await response.clone().text());
  assert.equal(await response.text(), "");
  assert.equal((await relayed.server.isolate("example/d-prewarmed"))?.requests, 0);
  assert.equal(await relayed.text("d-prewarmed"), "asked 1 times");
});

Deno.test("the origin is told of boots, and of what programs log", async () => {
  await until(
    "the events are there",
    () =>
      /d-ephemeral boot: \{"boot_time":[\d.]+\}/.test(relayed.events) &&
      /d-ephemeral log: info Asked for \//.test(relayed.events),
    30_000,
    () => relayed.events,
  );
});

Deno.test("forged and replayed tokens get nowhere: nothing is fetched from the origin", async () => {
  const rpc_root = bareRoot();
  const signed = (claims: Record<string, unknown> = {}) =>
    relayed.sign("forged", { claims: { rpc_root, ...claims } });
  const nowS = Math.floor(Date.now() / 1000);
  const good = await signed();
  const [header, payload, signature] = good.split(".");
  const none = btoa(JSON.stringify({ alg: "none", kid: "example" })).replaceAll("=", "");
  const forged = {
    "another secret": await relayed.sign("forged", { claims: { rpc_root }, secret: newSecret() }),
    "no algorithm": `${none}.${payload}.`,
    "another payload": `${header}.${(await signed({ deployment_id: "other" })).split(".")[1]}.${signature}`,
    "expired": await signed({ iat: nowS - 900, exp: nowS - 1 }),
    "of the future": await signed({ iat: nowS + 300, exp: nowS + 900 }),
    "another origin": await signed({ rpc_root: `http://127.0.0.1:${target.addr.port}/` }),
    "no origin": await signed({ rpc_root: undefined }),
    "no token": "",
  };
  for (const [kind, token] of Object.entries(forged)) {
    const response = await relayed.ask(token, { accept: "application/json" });
    assert.equal(response.status, 401, kind);
    assert.equal((await response.json()).code, "UNAUTHORIZED", kind);
  }
  assert.equal(asked.length, 0);
  await (await relayed.ask(good)).body?.cancel();
  assert.equal(asked[0]?.url, `${rpc_root}boot?deployment_id=forged`);
  // What an origin was sent is of no use at the front door, nor a relay's token at the origin.
  const { status, body } = await relayed.ask(asked[0]!.token);
  await body?.cancel();
  assert.equal(status, 401);
  const boot = await fetch(`${relayed.originUrl}boot?deployment_id=d-url`, {
    headers: { authorization: `Bearer ${await relayed.sign("d-url")}` },
  });
  await boot.body?.cancel();
  assert.equal(boot.status, 401);
});
