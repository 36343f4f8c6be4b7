import assert from "node:assert/strict";
import { startTestServer, type TestServer, until } from "../server.ts";

/** How long each tenant starves the others, and what those and the server may notice of it. */
const ATTACK_MS = 1_500;
const MAX_ANSWER_MS = 3_000;
const MAX_SERVER_GROWTH_BYTES = 200 * 1024 ** 2;
const MEMORY_MB = 128;

/** What a tenant starts when it is asked to. */
const WAYS: Record<string, string> = {
  "threads that compute": `
    const data = new Uint8Array(1024);
    const derive = async () => {
      const key = await crypto.subtle.importKey("raw", data, "PBKDF2", false, ["deriveBits"]);
      for (;;) await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt: data, iterations: 1e6 }, key, 512);
    };
    for (let i = 0; i < 64; i++) derive();`,
  "nested Workers that compute": `
    for (let i = 0; i < 4; i++) new Worker("data:text/javascript,for(;;);", { type: "module" });`,
  "Workers without number": `
    const start = () => { new Worker("data:text/javascript,setInterval(()=>{},1e3)", { type: "module" }); setTimeout(start); };
    start();`,
  "a heap": `for (;;) kept.push(Array.from({ length: 1000 }, () => ({})));`,
  "buffers": `for (;;) kept.push(new Uint8Array(2 ** 23).fill(1));`,
  "shared buffers": `for (;;) kept.push(new Uint8Array(new SharedArrayBuffer(2 ** 23)).fill(1));`,
  "the memory of WebAssembly": `
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
    for (;;) { memory.grow(128); new Uint8Array(memory.buffer).fill(1, -128 * 65536); }`,
  "blobs": `for (;;) kept.push(new Blob([new Uint8Array(2 ** 23).fill(1)]));`,
  "strings":
    `for (let i = 0;; i++) { const text = String(i).repeat(2 ** 20); text.charCodeAt(2 ** 19); kept.push(text + i); }`,
  "servers of a Worker of node": `
    const { Worker: NodeWorker } = await import("node:worker_threads");
    const code = "setInterval(() => { try { Deno.listen({ hostname: '127.0.0.1', port: 0 }) } catch {} })";
    for (let i = 0; i < 8; i++) new NodeWorker(code, { eval: true });`,
  "its log": `setInterval(() => { for (let i = 0; i < 1e4; i++) console.log("x".repeat(4096)); }, 0);`,
  "its standard output": `
    const bytes = new TextEncoder().encode(("x".repeat(1000) + "\\n").repeat(60));
    setInterval(() => { for (let i = 0; i < 100; i++) Deno.stdout.writeSync(bytes); }, 0);`,
  "connections out": `
    const dial = () => fetch("http://192.0.2.1:" + (1 + Math.floor(Math.random() * 60000))).then(dial, () => setTimeout(dial));
    for (let i = 0; i < 500; i++) dial();`,
  "names to resolve": `
    const ask = () => Deno.resolveDns(crypto.randomUUID() + ".invalid", "A").then(ask, () => setTimeout(ask));
    for (let i = 0; i < 500; i++) ask();`,
  "its own end, again and again": `setTimeout(() => Deno.exit(1), 5);`,
};

/** What a tenant answers its visitors. */
const ANSWERS: Record<string, string> = {
  "a body without end": `
    const chunk = new Uint8Array(65_536);
    return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }));`,
  "very many headers": `
    const headers = new Headers();
    for (let i = 0; i < 100_000; i++) headers.append("x-" + i, "y".repeat(100));
    return new Response("", { headers });`,
  "a very long header": `return new Response("", { headers: { "x-long": "y".repeat(50_000_000) } });`,
  "nothing": `return await new Promise(() => {});`,
};

const program = `
  const kept = [];
  const ways = { ${
  Object.entries(WAYS).map(([name, code]) => `${JSON.stringify(name)}: async () => { ${code} }`)
} };
  const answers = { ${
  Object.entries(ANSWERS).map(([name, code]) => `${JSON.stringify(name)}: async () => { ${code} }`)
} };
  Deno.serve((request) => {
    const name = decodeURIComponent(new URL(request.url).pathname.slice(1));
    if (answers[name]) return answers[name]();
    setTimeout(() => ways[name]?.());
    return new Response("started");
  });`;

const residentBytes = (pid: number) =>
  Number(Deno.readTextFileSync(`/proc/${pid}/statm`).split(" ")[1]) * 4096;

/** Asks the neighbour all the while; how long the slowest answer took, in ms. */
async function slowestAnswer(server: TestServer, whileMs: number): Promise<number> {
  let slowestMs = 0;
  for (const endsAt = performance.now() + whileMs; performance.now() < endsAt;) {
    const askedAt = performance.now();
    assert.equal(await server.text("neighbour"), "served");
    slowestMs = Math.max(slowestMs, performance.now() - askedAt);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return slowestMs;
}

/** Starts a server with a neighbour whose one isolate is to outlive all. */
async function withNeighbour(run: (server: TestServer) => Promise<void>) {
  await using server = await startTestServer();
  const { id } = await server.deploy("neighbour", `Deno.serve(() => new Response("served"));`);
  assert.equal(await server.text("neighbour"), "served");
  const pid = (await server.isolate(id))?.pid;
  const before = residentBytes(server.pid);
  await run(server);
  assert.equal((await server.isolate(id))?.pid, pid);
  const grown = residentBytes(server.pid) - before;
  assert.ok(grown < MAX_SERVER_GROWTH_BYTES, `the server has grown by ${grown} bytes`);
}

Deno.test("whatever a tenant uses up, its neighbour is served by the same isolate, and the server stays as it is", () =>
  withNeighbour(async (server) => {
    const slow: string[] = [];
    for (const [index, name] of Object.keys(WAYS).entries()) {
      // A deployment for each, so that none waits for what another's end costs it.
      const host = `hog-${index}`;
      const { id } = await server.deploy(host, { "main.js": program }, {
        entryPointUrl: "main.js",
        limits: { memoryMb: MEMORY_MB },
      });
      assert.equal(await server.text(host, `/${encodeURIComponent(name)}`), "started", name);
      const slowestMs = await slowestAnswer(server, ATTACK_MS);
      if (slowestMs > MAX_ANSWER_MS) slow.push(`${name}: ${Math.round(slowestMs)}ms`);
      const response = await server.call("DELETE", `/v1/deployments/${id}`);
      await response.body?.cancel();
      await until(`${name} is over`, async () => await server.isolate(id) === undefined);
    }
    assert.deepEqual(slow, []);
  }));

Deno.test("whatever a tenant answers its own visitors, its neighbour's are served, and the server stays as it is", () =>
  withNeighbour(async (server) => {
    await server.deploy("answerer", { "main.js": program }, { entryPointUrl: "main.js" });
    for (const name of Object.keys(ANSWERS)) {
      const visit = async () => {
        const signal = AbortSignal.timeout(ATTACK_MS);
        const response = await server.fetch("answerer", `/${encodeURIComponent(name)}`, { signal });
        // Reads slower than it is sent to.
        for await (const _ of response.body!) await new Promise((resolve) => setTimeout(resolve, 100));
      };
      // They give up, or get what the runner says instead.
      const visits = Promise.all(Array.from({ length: 10 }, () => visit().catch(() => {})));
      const slowestMs = await slowestAnswer(server, ATTACK_MS);
      await visits;
      assert.ok(slowestMs < MAX_ANSWER_MS, `${name}: ${slowestMs}ms`);
    }
  }));
