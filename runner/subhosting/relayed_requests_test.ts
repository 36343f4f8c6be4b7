import assert from "node:assert/strict";
import { connect } from "node:http2";
import type { Acquired, RefusedTokens } from "../contract.ts";
import { makeCertificate } from "../front/testing/certificates.ts";
import { AppIsolate } from "../testing/app_isolate.ts";
import { RawIsolate } from "../testing/raw_isolate.ts";
import { RawVisitor } from "../testing/raw_visitor.ts";
import { startTestRunner, type TestRunner, type TestRunnerOptions, until } from "../testing/test_runner.ts";
import { ACME, relayToken, type RelayTokenOptions, ZENITH } from "./testing/relay_token.ts";

const HELLO = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/** A runner that listens to two relays. */
function start(options: TestRunnerOptions): Promise<TestRunner> {
  return startTestRunner({ ...options, options: { subhosters: [ACME, ZENITH], ...options.options } });
}

/** The fields of a relay's request for a.example. */
function relayed(options: RelayTokenOptions = {}) {
  return { "x-deno-subhost": relayToken(options), "x-forwarded-host": "a.example" };
}

/** What comes back for fields as they are, in whatever order and number. */
async function send(test: TestRunner, fields: readonly [string, string][]) {
  const lines = [["host", "localhost"], ["connection", "close"], ...fields].map((field) => field.join(": "));
  using visitor = await RawVisitor.send(test.port, `GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
  const text = await visitor.receiveAll();
  return { status: Number(text.slice(9, 12)), text };
}

/** What all of `tell` together has counted. */
function refusedOf(test: TestRunner): RefusedTokens[] {
  const refused = test.responses.flatMap(({ refusedTokens }) => refusedTokens);
  const keyOf = ({ subhosterId, problem }: RefusedTokens) => `${subhosterId} ${problem}`;
  return [...Map.groupBy(refused, keyOf).values()].map((same) => ({
    ...same[0]!,
    count: same.reduce((sum, { count }) => sum + count, 0),
  }));
}

Deno.test("a relay's request goes to its own deployment, which sees its visitor's and no token", async () => {
  await using app = AppIsolate.serving(async (request) => {
    const { method, url } = request;
    return Response.json({
      method,
      url,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
    });
  });
  await using test = await start({ acquire: app.socketPath });
  const fields = {
    ...relayed(),
    "x-forwarded-for": "198.51.100.7",
    "x-forwarded-proto": "https",
    "x-a": "b",
  };
  const response = await fetch(`${test.origin}/p?q`, { method: "POST", headers: fields, body: "body" });
  const { method, url, headers, body } = await response.json();
  assert.deepEqual([method, url, body], ["POST", "https://a.example/p?q", "body"]);
  assert.deepEqual([headers.host, headers["x-forwarded-host"], headers["x-a"]], [
    "a.example",
    "a.example",
    "b",
  ]);
  assert.deepEqual([headers["x-forwarded-for"], headers["x-forwarded-proto"]], ["198.51.100.7", "https"]);
  assert.deepEqual(Object.keys(headers).filter((name) => name.startsWith("x-deno")), []);
  assert.ok(!JSON.stringify(headers).includes(fields["x-deno-subhost"]));
  // The same name by itself is another deployment's, as the table has it.
  await (await fetch(test.origin)).body?.cancel();
  const subhosted = { subhosterId: "acme", deploymentId: "d1", rpcRoot: "https://origin.example/v0/" };
  assert.deepEqual(test.acquired, ["acme/d1", "d1"]);
  assert.deepEqual(test.contexts.map((context) => context.subhosted), [subhosted, undefined]);
});

Deno.test("a request with a token that is refused is a 401 that helps the subhoster alone", async () => {
  await using test = await start({ acquire: () => assert.fail("nothing is acquired") });
  const general = [
    "token",
    "",
    "a.b.c",
    relayToken({ secret: "wrong" }),
    relayToken({ header: { kid: "nobody" } }),
  ];
  const seen = new Set<string>();
  const accept = { accept: "application/json" };
  for (const token of general) {
    const headers = { ...accept, "x-deno-subhost": token, "x-forwarded-host": "localhost" };
    const response = await fetch(test.origin, { headers });
    assert.deepEqual([response.status, response.headers.get("x-isola-error")], [401, "UNAUTHORIZED"]);
    seen.add((await response.json()).message);
  }
  assert.deepEqual([...seen], ["The request is not authorized."]);
  const precise = { ...accept, ...relayed({ claims: { rpc_root: "https://evil.example/" } }) };
  for (const method of ["GET", "POST", "CUSTOM"]) {
    const response = await fetch(test.origin, { method, headers: precise });
    assert.equal(response.status, 401);
    assert.match((await response.json()).message, /rpc_root is none of those configured here/);
  }
  const token = relayToken();
  const twice = await send(test, [["x-deno-subhost", token], ["x-forwarded-host", "a"], [
    "X-Deno-Subhost",
    token,
  ]]);
  assert.equal(twice.status, 401);
  const prewarm = await send(test, [["x-deno-subhost", `${token}x`], ["x-deno-prewarm", "1"]]);
  assert.equal(prewarm.status, 401);
  await test.runner.drain(0);
  const count = (problem: string) => refusedOf(test).find((refused) => refused.problem === problem);
  assert.deepEqual(count("malformed"), { subhosterId: null, problem: "malformed", count: 4 });
  assert.deepEqual(count("unknown_subhoster"), { subhosterId: null, problem: "unknown_subhoster", count: 1 });
  assert.deepEqual(count("signature"), { subhosterId: "acme", problem: "signature", count: 2 });
  assert.deepEqual(count("rpc_root"), { subhosterId: "acme", problem: "rpc_root", count: 3 });
});

Deno.test("a relay must say what its visitor asked for, and hears so only with a good token", async () => {
  await using test = await start({ acquire: () => assert.fail("nothing is acquired") });
  for (const host of [null, "", "a b", "a.example, b.example", "http://a.example", "[::1"]) {
    const fields: [string, string][] = host === null ? [] : [["x-forwarded-host", host]];
    const good = await send(test, [["x-deno-subhost", relayToken()], ...fields]);
    assert.equal(good.status, 400);
    assert.match(good.text, /The request needs an x-forwarded-host/);
    const bad = await send(test, [["x-deno-subhost", relayToken({ secret: "wrong" })], ...fields]);
    assert.deepEqual([bad.status, bad.text.includes("x-forwarded-host")], [401, false]);
  }
});

Deno.test("a prewarm has an isolate started, and is answered without it", async () => {
  let answer = (_acquired: Acquired) => {};
  let requests = 0;
  await using app = AppIsolate.serving(() => new Response(`${++requests}`));
  await using test = await start({ acquire: () => new Promise((resolve) => answer = resolve) });
  const prewarm = { "x-deno-subhost": relayToken(), "x-deno-prewarm": "1" };
  const ask = (init: RequestInit = {}) => fetch(test.origin, { headers: prewarm, ...init });
  const refused = ask();
  await until(() => test.acquired.length === 1);
  answer({ code: "ORIGIN_UNAVAILABLE", retryAfterS: 2 });
  assert.deepEqual([(await refused).status, (await refused).headers.get("retry-after")], [503, "2"]);
  await (await refused).body?.cancel();

  const waiting = [
    ask(),
    ask({ method: "POST", body: "ignored" }),
    fetch(test.origin, { headers: relayed() }),
  ];
  await until(() => test.acquired.length === 2);
  answer({ isolateId: "i1", socketPath: app.socketPath });
  const [first, second, real] = await Promise.all(waiting);
  for (const response of [first!, second!, await ask(), await ask({ method: "HEAD" })]) {
    const type = response.headers.get("content-type");
    assert.deepEqual([response.status, await response.text(), type], [200, "", null]);
  }
  assert.equal(await real!.text(), "1");
  const { requests: counted, inFlight } = (await test.runner.usage())[0]!;
  assert.deepEqual([requests, counted, inFlight], [1, 1, 0]);
  assert.deepEqual(test.acquired, ["acme/d1", "acme/d1"]);
});

Deno.test("a full isolate is ready, and its deployment's limits are the subhoster's", async () => {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  await using isolate = new RawIsolate(async (connection, disposed) => {
    await connection.readUntil("\r\n\r\n");
    await Promise.race([ended, disposed]);
    await connection.write(HELLO);
  });
  const narrow = { ...ACME, maxConcurrency: 1, requestTimeoutMs: 60_000 };
  await using test = await start({
    acquire: isolate.socketPath,
    options: { subhosters: [narrow], queueTimeoutMs: 50 },
  });
  const inside = fetch(test.origin, { headers: relayed() }).then((response) => response.text());
  await until(async () => (await test.runner.usage())[0]?.inFlight === 1);
  const warm = await fetch(test.origin, { headers: { ...relayed(), "x-deno-prewarm": "1" } });
  assert.deepEqual([warm.status, await warm.text()], [200, ""]);
  const late = await fetch(test.origin, { headers: relayed() });
  assert.equal(late.headers.get("x-isola-error"), "OVERLOADED");
  await late.body?.cancel();
  end();
  assert.equal(await inside, "hello");
});

Deno.test("no other request reaches a subhosted isolate, and no relay's another's or a project's", async () => {
  await using isolate = RawIsolate.answering(HELLO);
  await using test = await start({ acquire: isolate.socketPath });
  const hosts = [
    "acme/d1",
    "acme%2fd1",
    "acme%2Fd1",
    "acme\\d1",
    "/acme/d1",
    "acme",
    "acme.d1",
    "acme:d1",
    "a@acme/d1",
  ];
  for (const host of hosts) {
    const head = `GET / HTTP/1.1\r\nhost: ${host}\r\nx-forwarded-host: ${host}\r\nx-deno-prewarm: 1\r\n`;
    using visitor = await RawVisitor.send(test.port, `${head}connection: close\r\n\r\n`);
    assert.match(await visitor.receiveAll(), /^HTTP\/1\.1 40[04] /, host);
  }
  assert.deepEqual(test.acquired, []);
  // A deployment id may be anything visible: it stays below its subhoster's.
  for (const id of ["../zenith/d1", "d1/../../d1", "zenith/d1", "/", "..", "localhost"]) {
    const response = await fetch(test.origin, { headers: relayed({ claims: { deployment_id: id } }) });
    assert.equal(await response.text(), "hello");
    assert.equal(test.acquired.at(-1), `acme/${id}`);
  }
});

Deno.test("where there are no subhosters a relay's field is dropped like any of ours", async () => {
  await using app = AppIsolate.serving((request) => Response.json(Object.fromEntries(request.headers)));
  await using test = await start({ acquire: app.socketPath, options: { subhosters: [] } });
  const headers = await (await fetch(test.origin, { headers: { ...relayed(), "x-deno-prewarm": "1" } }))
    .json();
  assert.deepEqual(Object.keys(headers).filter((name) => name.startsWith("x-deno")), []);
  assert.equal(headers["x-forwarded-host"], `localhost:${test.port}`);
  assert.deepEqual(test.acquired, ["d1"]);
});

Deno.test("over HTTP/2 a relay's request is the same", async () => {
  await using app = AppIsolate.serving(async (request) => {
    const hasToken = request.headers.has("x-deno-subhost");
    return new Response(`${request.url} ${hasToken} ${await request.text()}`);
  });
  await using test = await start({ acquire: app.socketPath });
  const session = connect(`http://127.0.0.1:${test.port}`);
  const ask = async (headers: Record<string, string>, body = "") => {
    const stream = session.request({
      ":method": "POST",
      ":authority": "localhost",
      ":path": "/p",
      ...headers,
    });
    stream.end(body);
    let text = "";
    let status = 0;
    stream.on("response", (fields) => status = Number(fields[":status"]));
    for await (const data of stream) text += data;
    return [status, text];
  };
  assert.deepEqual(await ask(relayed(), "body"), [200, "http://a.example/p false body"]);
  assert.deepEqual(await ask({ ...relayed(), "x-deno-prewarm": "1" }), [200, ""]);
  assert.equal((await ask(relayed({ secret: "wrong" })))[0], 401);
  assert.equal((await ask({ "x-deno-subhost": relayToken() }))[0], 400);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(relayed(), `${i}`)));
  assert.deepEqual(answers, answers.map((_, i) => [200, `http://a.example/p false ${i}`]));
  await new Promise<void>((resolve) => session.close(resolve));
  assert.deepEqual(test.acquired, ["acme/d1"]);
});

Deno.test("a relay's WebSockets, event streams and aborts pass like any other", async () => {
  let aborted = false;
  let url = "";
  await using app = AppIsolate.serving((request) => {
    if (request.headers.get("upgrade") === "websocket") {
      url = request.url;
      const hasToken = request.headers.has("x-deno-subhost");
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => socket.send(`${data} ${hasToken}`);
      return response;
    }
    request.signal.addEventListener("abort", () => aborted = true);
    const events = new ReadableStream<string>({ start: (controller) => controller.enqueue("data: 1\n\n") });
    return new Response(events.pipeThrough(new TextEncoderStream()));
  });
  await using test = await start({ acquire: app.socketPath });
  const socket = new WebSocket(`ws://localhost:${test.port}/chat`, { headers: relayed() });
  await new Promise((resolve) => socket.onopen = resolve);
  socket.send("hello");
  assert.equal(await new Promise((resolve) => socket.onmessage = ({ data }) => resolve(data)), "hello false");
  assert.equal(url, "http://a.example/chat");
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;

  const fields = Object.entries(relayed()).map((field) => field.join(": ")).join("\r\n");
  using visitor = await RawVisitor.send(test.port, `GET / HTTP/1.1\r\nhost: x\r\n${fields}\r\n\r\n`);
  assert.ok(await visitor.receive(/data: 1\n\n/));
  visitor[Symbol.dispose]();
  await until(() => aborted);
});

Deno.test("a connection goes on after a refusal, and carries requests of several subhosters", async () => {
  await using isolate = RawIsolate.answering(HELLO);
  await using test = await start({ acquire: isolate.socketPath });
  const zenith = relayToken({
    header: { kid: "zenith" },
    secret: ZENITH.secrets[1]!,
    claims: { rpc_root: ZENITH.rpcRoots[0] },
  });
  using visitor = await RawVisitor.send(test.port, "");
  for (const [token, status] of [[relayToken(), 200], ["x", 401], [zenith, 200], [null, 200], ["", 401]]) {
    const field = token === null ? "" : `x-deno-subhost: ${token}\r\n`;
    await visitor.write(`GET / HTTP/1.1\r\nhost: localhost\r\nx-forwarded-host: a.example\r\n${field}\r\n`);
    visitor.received = "";
    assert.ok(await visitor.receive(new RegExp(`^HTTP/1.1 ${status} [^]*(hello|</html>\n)$`)), `${token}`);
  }
  assert.deepEqual(test.acquired, ["acme/d1", "zenith/d1", "d1"]);
});

Deno.test("a relay is not sent to HTTPS, and by TLS asks for a name of the certificate it was shown", async () => {
  await using isolate = RawIsolate.answering(HELLO);
  const certificate = await makeCertificate("ingress.example", "shop.example");
  await using test = await start({
    acquire: isolate.socketPath,
    certificates: [certificate],
    options: { https: { hostname: "127.0.0.1", port: 0 } },
  });
  const fields = `${Object.entries(relayed()).map((field) => field.join(": ")).join("\r\n")}\r\n`;
  const over = async (conn: Deno.Conn, head: string) => {
    await conn.write(new TextEncoder().encode(`GET / HTTP/1.1\r\n${head}connection: close\r\n\r\n`));
    return await new Response(conn.readable).text();
  };
  const plain = () => Deno.connect({ hostname: "127.0.0.1", port: test.port });
  const tls = async () => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: test.runner.https!.port });
    return await Deno.startTls(conn, { hostname: "ingress.example", caCerts: [certificate.chain] });
  };
  assert.match(await over(await plain(), "host: shop.example\r\n"), /^HTTP\/1\.1 308 /);
  assert.match(await over(await plain(), `host: shop.example\r\n${fields}`), /^HTTP\/1\.1 200 [^]*hello$/);
  const secured = await over(await tls(), `host: ingress.example\r\n${fields}`);
  assert.match(secured, /^HTTP\/1\.1 200 [^]*hello$/);
  // The relay's visitor came to another server, which has not asked for this.
  assert.ok(!secured.includes("strict-transport-security"));
  assert.match(await over(await tls(), `host: a.example\r\n${fields}`), /^HTTP\/1\.1 421 /);
});
