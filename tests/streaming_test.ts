import assert from "node:assert/strict";
import { RawVisitor } from "../runner/testing/raw_visitor.ts";
import { residentBytes } from "./processes.ts";
import { appSource, serverForTests, until } from "./server.ts";

const suite = serverForTests();
const MIB = 1024 * 1024;
/** Everything that may be on the way when one side does not read: two sockets' buffers, and the runtime's. */
const MAX_ON_THE_WAY_BYTES = 24 * MIB;
const MAX_GROWTH_BYTES = 64 * MIB;
const TRANSFER_BYTES = 128 * MIB;
const encoder = new TextEncoder();

Deno.test.beforeAll(async () => {
  await suite.server.deploy("echo", appSource("echo.ts"));
  await suite.server.deploy("wire", appSource("wire.ts"));
});

async function aborted(): Promise<string[]> {
  return JSON.parse(await suite.server.text("wire", "/aborted"));
}

/** Reads until the text so far is `expected`. */
async function readText(reader: ReadableStreamDefaultReader<Uint8Array>, expected: string): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  while (text.length < expected.length) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  assert.equal(text, expected);
}

/** Waits until a count, which grows, has stood still for a while, and returns it. */
async function stalled(count: () => number | Promise<number>): Promise<number> {
  let last = -1;
  let same = 0;
  await until("it stalls", async () => {
    const now = await count();
    same = now === last ? same + 1 : 0;
    last = now;
    return same >= 10;
  });
  return last;
}

/** The memory of server and isolate together while `work` runs, at its peak, less what it was before. */
async function growthDuring(work: () => Promise<void>): Promise<number> {
  const { server } = suite;
  const [isolate] = (await server.isolates()).toSorted((a, b) => b.requests - a.requests);
  const measure = () => residentBytes(server.pid) + residentBytes(isolate!.pid);
  const before = measure();
  let peak = 0;
  const timer = setInterval(() => peak = Math.max(peak, measure()), 20);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return peak - before;
}

Deno.test("server-sent events arrive one by one", async () => {
  const { server } = suite;
  const response = await server.fetch("wire", "/parts");
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body!.getReader();
  await readText(reader, "data: one\n\n");
  await server.text("wire", "/release");
  await readText(reader, "data: two\n\n");
  assert((await reader.read()).done);
});

Deno.test("request and response stream at the same time", async () => {
  const { readable, writable } = new TransformStream<Uint8Array>();
  const writer = writable.getWriter();
  const answered = suite.server.fetch("wire", "/talk", { method: "POST", body: readable });
  await writer.write(encoder.encode("one "));
  const reader = (await answered).body!.getReader();
  await readText(reader, "one ");
  for (const part of ["two ", "three "]) {
    await writer.write(encoder.encode(part));
    await readText(reader, part);
  }
  await writer.close();
  assert((await reader.read()).done);
});

Deno.test("a visitor who goes away aborts the request, or cancels the response's stream, in the app", async () => {
  const { server } = suite;
  const cases = [["/wait?a", "?a"], ["/ticking?b", "?b"], ["/endless?c", "cancel?c"]] as const;
  for (const [path, mark] of cases) {
    const controller = new AbortController();
    const response = server.fetch("wire", path, { signal: controller.signal });
    if (!path.startsWith("/wait")) await (await response).body!.getReader().read();
    else await until("the app has it", async () => (await server.isolates()).some((one) => one.inFlight > 0));
    controller.abort();
    await response.catch(() => {});
    await until(`the app sees the end of ${path}`, async () => (await aborted()).includes(mark));
  }
});

Deno.test("an app that ends its stream with an error ends the visitor's, with no end of the body", async () => {
  const { server } = suite;
  using visitor = await RawVisitor.send(
    server.httpPort,
    "GET /broken HTTP/1.1\r\nHost: wire.localhost\r\n\r\n",
  );
  const received = await visitor.receiveAll();
  assert.match(received, /the beginning/);
  assert.doesNotMatch(received, /\r\n0\r\n/);
  await assert.rejects(server.text("wire", "/broken"));
});

Deno.test("a response that comes before the end of the upload is passed on, and the next request is served", async () => {
  const { server } = suite;
  const body = new Uint8Array(8 * MIB);
  for (let round = 0; round < 5; round++) {
    const response = await server.fetch("wire", "/early", { method: "POST", body });
    assert.deepEqual([response.status, await response.text()], [413, "too large"]);
    assert.equal(await server.text("wire", "/mirror", { method: "POST", body: "next" }), "next");
  }
});

Deno.test("an upload that the visitor breaks off is broken off in the app, and poisons nothing", async () => {
  const { server } = suite;
  for (const framing of ["Content-Length: 100", "Transfer-Encoding: chunked"]) {
    const start = framing.startsWith("C") ? "0123456789" : "a\r\n0123456789\r\n";
    const visitor = await RawVisitor.send(
      server.httpPort,
      `POST /count HTTP/1.1\r\nHost: wire.localhost\r\n${framing}\r\n\r\n${start}`,
    );
    await until("the app has it", async () => (await server.isolates()).some((one) => one.inFlight > 0));
    visitor[Symbol.dispose]();
    await until("the app lost it", async () => (await server.isolates()).every((one) => one.inFlight === 0));
    assert.equal(await server.text("wire", "/count", { method: "POST", body: "12345" }), "5");
  }
});

async function download(bytes: number): Promise<void> {
  let received = 0;
  for await (const chunk of (await suite.server.fetch("wire", `/bytes?n=${bytes}`)).body!) {
    received += chunk.length;
  }
  assert.equal(received, bytes);
}

async function upload(bytes: number): Promise<void> {
  using visitor = await RawVisitor.send(suite.server.httpPort, countRequest("/count", bytes));
  const chunk = new Uint8Array(64 * 1024);
  for (let sent = 0; sent < bytes; sent += chunk.length) await visitor.write(chunk);
  assert(await visitor.receive(new RegExp(`\r\n\r\n${bytes}$`)));
}

function countRequest(path: string, bytes: number): string {
  return `POST ${path} HTTP/1.1\r\nHost: wire.localhost\r\nContent-Length: ${bytes}\r\nConnection: close\r\n\r\n`;
}

for (const transfer of [download, upload]) {
  Deno.test(`a ${transfer.name} of ${TRANSFER_BYTES / MIB} MiB passes in flat memory`, async () => {
    // Once before, so that what the runtime keeps for itself is not counted.
    await transfer(TRANSFER_BYTES / 4);
    const growth = await growthDuring(() => transfer(TRANSFER_BYTES));
    assert(growth < MAX_GROWTH_BYTES, `${growth} bytes more`);
  });
}

Deno.test("a visitor who does not read stops the app, and then gets everything", async () => {
  const { server } = suite;
  using visitor = await RawVisitor.send(
    server.httpPort,
    `GET /bytes?n=${TRANSFER_BYTES} HTTP/1.1\r\nHost: wire.localhost\r\nConnection: close\r\n\r\n`,
  );
  const growth = await growthDuring(async () => {
    const produced = await stalled(async () => Number(await server.text("wire", "/produced")));
    assert(produced > 0 && produced < MAX_ON_THE_WAY_BYTES, `${produced} bytes on the way`);
  });
  assert(growth < MAX_GROWTH_BYTES, `${growth} bytes more`);
  let received = 0;
  for (;;) {
    const match = await visitor.receive(/[^]{65536}|\r\n0\r\n\r\n$/);
    received += visitor.received.length;
    visitor.received = "";
    if (match === null || match[0].length < 65536) break;
  }
  assert(received > TRANSFER_BYTES, `${received} bytes`);
});

Deno.test("an app that does not read stops the visitor, and then gets everything", async () => {
  const { server } = suite;
  using visitor = await RawVisitor.send(server.httpPort, countRequest("/count-late", TRANSFER_BYTES));
  let sent = 0;
  const chunk = new Uint8Array(64 * 1024);
  const sending = (async () => {
    for (; sent < TRANSFER_BYTES; sent += chunk.length) await visitor.write(chunk);
  })();
  const growth = await growthDuring(async () => {
    await stalled(() => sent);
  });
  assert(sent < MAX_ON_THE_WAY_BYTES, `${sent} bytes on the way`);
  assert(growth < MAX_GROWTH_BYTES, `${growth} bytes more`);
  await server.text("wire", "/release");
  await sending;
  assert(await visitor.receive(new RegExp(`\r\n\r\n${TRANSFER_BYTES}$`)));
});

Deno.test("many requests at once are never mixed up", async () => {
  const { server } = suite;
  const ask = async (i: number) => {
    const body = `${i} `.repeat(1 + (i * 7919) % 20_000);
    if (i % 2 === 0) {
      const text = await server.text("wire", "/mirror", { method: "POST", body });
      assert(text === body, `request ${i}`);
      return;
    }
    const said = JSON.parse(
      await server.text("echo", `/${i}?q=${i}`, { headers: { "x-number": String(i) } }),
    );
    assert.equal(said.url, `http://echo.localhost:${server.httpPort}/${i}?q=${i}`);
    assert.deepEqual(said.headers.find(([name]: [string]) => name === "x-number"), ["x-number", String(i)]);
  };
  let next = 0;
  await Promise.all(Array.from({ length: 20 }, async () => {
    while (next < 400) await ask(next++);
  }));
});
