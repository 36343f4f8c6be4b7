import assert from "node:assert/strict";
import { helloMessage, records } from "../runner/front/testing/hello.ts";
import { DEFAULT_VISITOR_LIMITS } from "../runner/visitor_limits.ts";
import {
  CODE,
  type Fields,
  FLAG,
  frame,
  headerBlock,
  Http2Wire,
  joined,
  OPENING,
  TYPE,
} from "./http2_wire.ts";
import { appSource, serverForTests, startTestServer, type TestServer, until } from "./server.ts";
import { TestCa } from "./test_ca.ts";
import { TlsClient } from "./tls_client.ts";

const NAME = "wire.apps.test";
const HEAD = `HTTP/1.1\r\nHost: ${NAME}\r\n`;
const DRIP_EVERY_MS = 100;
/** Past every limit below, on a loaded machine. */
const PATIENCE_MS = 15_000;
const HALF_OPEN = 1000;
const FLOOD = 20_000;
const RANDOM_HOSTS = 20_000;
const RANDOM_SERVER_NAMES = 5000;
const MAX_ROUNDS = 12;
/** In one round: less than 50 bytes for each of its names. */
const MAX_GROWTH_BYTES = 1024 * 1024;

let ca: TestCa;
const suite = serverForTests(async () => {
  ca = await TestCa.make();
  return await options({
    handshakeTimeoutMs: 2000,
    headerTimeoutMs: 2000,
    keepAliveTimeoutMs: 2000,
    silenceTimeoutMs: 4000,
    writeTimeoutMs: 3000,
    minBodyBytesPerSecond: 1000,
    bodyGraceMs: 2000,
    maxStreamResets: 100,
    maxControlFrames: 200,
  });
});
Deno.test.beforeAll(() => deploy(suite.server));
Deno.test.afterAll(() => ca[Symbol.dispose]());

async function options(visitors: Record<string, number>) {
  const tls = { certificates: [await ca.write([NAME])] };
  const env = { ISOLA_HTTPS_ADDR: "127.0.0.1:0" };
  return { env, config: { baseDomain: "apps.test", httpRedirect: "off", tls, visitors } };
}

async function deploy(server: TestServer): Promise<void> {
  await server.deploy("wire", appSource("wire.ts"));
}

type Open = (server?: TestServer) => Promise<TlsClient>;

const plain: Open = ({ httpPort } = suite.server) => TlsClient.open(httpPort, null);
/** The port of TLS, without a handshake. */
const bare: Open = ({ httpsPort } = suite.server) => TlsClient.open(httpsPort, null);
const http1: Open = (server) => secured("http/1.1", server);
const http2: Open = (server) => secured("h2", server);

function secured(protocol: string, { httpsPort } = suite.server): Promise<TlsClient> {
  return TlsClient.open(httpsPort, { serverName: NAME, ca: ca.certificate, protocols: [protocol] });
}

function get(path: string): string {
  return `GET ${path} ${HEAD}\r\n`;
}

function fields(path: string, method = "GET"): Fields {
  return [[":method", method], [":scheme", "https"], [":path", path], [":authority", NAME]];
}

function headers(path: string, flags: number, method = "GET"): Uint8Array {
  return frame(TYPE.headers, flags, 1, headerBlock(fields(path, method)));
}

/** Answers to the end of a short response, in ms. */
async function answeredAfter(client: TlsClient): Promise<number> {
  const startedAt = performance.now();
  client.received = "";
  await client.write(get("/head"));
  assert.ok(await client.receive(/\r\n\r\ntwelve bytes$/), client.received);
  return performance.now() - startedAt;
}

/** What is sent first, and then again and again. */
interface Slow {
  name: string;
  open: Open;
  first?: string | Uint8Array;
  drip?: string | Uint8Array;
}

const HELLO = records(helloMessage({ serverName: NAME }));
const WHOLE = FLAG.endHeaders | FLAG.endStream;
const SLOW: readonly Slow[] = [
  ...([["plain", plain], ["TLS", http1]] as const).flatMap(([way, open]): Slow[] => [
    { name: `${way}: nothing`, open },
    { name: `${way}: half a head`, open, first: "GET / HTTP/1.1\r\nHost:" },
    { name: `${way}: a head byte by byte`, open, first: `GET / ${HEAD}X: `, drip: "x" },
    { name: `${way}: nothing after a request`, open, first: get("/head") },
    { name: `${way}: empty lines after a request`, open, first: get("/head"), drip: "\r\n" },
    {
      name: `${way}: a body byte by byte`,
      open,
      first: `POST /count ${HEAD}Content-Length: 1000\r\n\r\n`,
      drip: "x",
    },
    { name: `${way}: silence`, open, first: get("/wait?silent") },
  ]),
  { name: "no ClientHello", open: bare },
  { name: "half a ClientHello", open: bare, first: HELLO.subarray(0, 60) },
  {
    name: "a ClientHello byte by byte",
    open: bare,
    first: HELLO.subarray(0, 20),
    drip: HELLO.subarray(20, 21),
  },
  { name: "a ClientHello and no more", open: bare, first: HELLO },
  { name: "HTTP/2: nothing", open: http2 },
  { name: "HTTP/2: half a preface", open: http2, first: OPENING.subarray(0, 12) },
  { name: "HTTP/2: a preface and no more", open: http2, first: OPENING },
  {
    name: "HTTP/2: pings and no request",
    open: http2,
    first: OPENING,
    drip: frame(TYPE.ping, 0, 0, new Uint8Array(8)),
  },
  {
    name: "HTTP/2: a header block without an end",
    open: http2,
    first: joined([OPENING, headers("/head", 0)]),
  },
  {
    name: "HTTP/2: a header block bit by bit",
    open: http2,
    first: joined([OPENING, headers("/head", 0)]),
    drip: frame(TYPE.continuation, 0, 1, headerBlock([["x", "y"]])),
  },
  { name: "HTTP/2: nothing after a request", open: http2, first: joined([OPENING, headers("/head", WHOLE)]) },
  {
    name: "HTTP/2: a body byte by byte",
    open: http2,
    first: joined([OPENING, headers("/count", FLAG.endHeaders, "POST")]),
    drip: frame(TYPE.data, 0, 1, Uint8Array.of(0x78)),
  },
  { name: "HTTP/2: silence", open: http2, first: joined([OPENING, headers("/wait?silent", WHOLE)]) },
];

/** How long it is borne, in ms. */
async function bornFor({ open, first = "", drip = "" }: Slow): Promise<number> {
  using client = await open();
  await client.write(first);
  const timer = setInterval(() => client.write(drip).catch(() => clearInterval(timer)), DRIP_EVERY_MS);
  const tookMs = await client.endedAfter(PATIENCE_MS);
  clearInterval(timer);
  return tookMs;
}

Deno.test("Whoever is slow is gone in time, in every way in which one can be", async () => {
  const unread = [
    { open: plain, first: get("/endless?plain") },
    { open: http1, first: get("/endless?tls") },
    {
      open: http2,
      first: joined([OPENING, headers("/endless?h2", WHOLE)]),
    },
    {
      open: http2,
      first: joined([
        OPENING,
        // No window for any stream (RFC 9113 §6.5.2).
        frame(TYPE.settings, 0, 0, Uint8Array.of(0, 4, 0, 0, 0, 0)),
        headers("/endless?window", WHOLE),
      ]),
    },
  ];
  const open = await Promise.all(unread.map(async ({ open, first }) => {
    const client = await open();
    await client.write(first);
    return client;
  }));
  const times = await Promise.all(SLOW.map(async (slow) => [slow.name, await bornFor(slow)] as const));
  assert.deepEqual(times.filter(([, tookMs]) => tookMs === Infinity), []);
  for (const way of ["plain", "tls", "h2", "window"]) {
    await until(
      `what nobody reads is cut (${way})`,
      async () => JSON.parse(await suite.server.text(NAME, "/aborted")).includes(`cancel?${way}`),
      PATIENCE_MS,
    );
  }
  for (const client of open) client[Symbol.dispose]();
});

Deno.test("1,000 half-open connections do not slow a good visitor, and are gone in time", async () => {
  const { handshakeTimeoutMs, headerTimeoutMs } = DEFAULT_VISITOR_LIMITS;
  assert.ok(Math.max(handshakeTimeoutMs, headerTimeoutMs) <= 30_000);

  await using server = await startTestServer(
    await options({ handshakeTimeoutMs: 8000, headerTimeoutMs: 8000 }),
  );
  await deploy(server);
  using good = await http1(server);
  const medianMs = async () => {
    const times = [];
    for (let i = 0; i < 51; i++) times.push(await answeredAfter(good));
    return times.sort((a, b) => a - b)[25]!;
  };
  await medianMs();
  const before = await medianMs();

  const half: TlsClient[] = [];
  const kinds: [Open, string | Uint8Array][] = [
    [bare, HELLO.subarray(0, 60)],
    [bare, HELLO],
    [plain, "GET / HTTP/1.1\r\nHost: "],
    [http1, "GET / HTTP/1.1\r\nHost: "],
  ];
  while (half.length < HALF_OPEN) {
    half.push(
      ...await Promise.all(Array.from({ length: 40 }, async (_, i) => {
        const [open, first] = kinds[i % kinds.length]!;
        const client = await open(server);
        await client.write(first);
        return client;
      })),
    );
  }
  const openedAt = performance.now();
  const gone = Promise.all(half.map((client) => client.endedAfter(2 * PATIENCE_MS)));
  const during = await medianMs();
  assert.ok(during < Math.max(3 * before, 10), `${before}ms before, ${during}ms with half-open ones`);
  assert.ok((await gone).every((tookMs) => tookMs < Infinity));
  for (const client of half) client[Symbol.dispose]();
  const tookMs = performance.now() - openedAt;
  assert.ok(tookMs < 15_000, `${tookMs}ms`);
});

/** Frames of one kind, as many as there may be and more. */
const FLOODS: [name: string, make: (index: number) => Uint8Array][] = [
  ["requests that are reset", (i) =>
    joined([
      frame(TYPE.headers, WHOLE, 2 * i + 1, headerBlock(fields("/wait?reset"))),
      frame(TYPE.rstStream, 0, 2 * i + 1, Uint8Array.of(0, 0, 0, CODE.cancel)),
    ])],
  ["requests that we have to reset", (i) =>
    joined([
      frame(TYPE.headers, WHOLE, 2 * i + 1, headerBlock(fields("/wait?reset"))),
      frame(TYPE.windowUpdate, 0, 2 * i + 1, new Uint8Array(4)),
    ])],
  ["settings", () => frame(TYPE.settings, 0, 0)],
  ["pings", () => frame(TYPE.ping, 0, 0, new Uint8Array(8))],
  ["priorities", () => frame(TYPE.priority, 0, 1, new Uint8Array(5))],
  ["empty data", (i) => i === 0 ? headers("/count", FLAG.endHeaders, "POST") : frame(TYPE.data, 0, 1)],
  [
    "continuations",
    (i) => i === 0 ? headers("/head", 0) : frame(TYPE.continuation, 0, 1, headerBlock([["x", "y"]])),
  ],
];

Deno.test("A flood of HTTP/2 frames ends its connection, and no other", async () => {
  using good = await http1();
  for (const [name, make] of FLOODS) {
    using client = await http2();
    const wire = await Http2Wire.open(client);
    const flood = (async () => {
      for (let i = 0; i < FLOOD; i += 100) {
        await client.write(joined(Array.from({ length: 100 }, (_, n) => make(i + n))));
      }
    })().catch(() => {}); // It is cut off at some time.
    assert.equal(await wire.goneWith(), CODE.enhanceYourCalm, name);
    await flood;
    await answeredAfter(good);
  }
});

Deno.test("No state grows with names that visitors make up", async () => {
  const { server } = suite;
  const memory = async () => {
    const [, kib] = /VmRSS:\s+(\d+) kB/.exec(await Deno.readTextFile(`/proc/${server.pid}/status`))!;
    return Number(kib) * 1024;
  };
  // The heap takes some time to find its size.
  let growth = Infinity;
  for (let round = 0; round < MAX_ROUNDS && growth > MAX_GROWTH_BYTES; round++) {
    const before = await memory();
    await askHosts(RANDOM_HOSTS);
    await askServerNames(RANDOM_SERVER_NAMES);
    growth = await memory() - before;
  }
  assert.ok(growth <= MAX_GROWTH_BYTES, `${growth} bytes more in the last round`);
});

function madeUp(): string {
  return `${crypto.randomUUID()}.test`;
}

/** Asks for so many hosts that there are not, on kept connections by plain HTTP. */
async function askHosts(count: number): Promise<void> {
  const batch = 50;
  using client = await plain();
  for (let asked = 0; asked < count; asked += batch) {
    const requests = Array.from({ length: batch }, () => `HEAD / HTTP/1.1\r\nHost: ${madeUp()}\r\n\r\n`);
    await client.write(requests.join(""));
    for (let answered = 0; answered < batch; answered++) {
      const [head] = await client.receive(/^HTTP\/1\.1 404 [^]*?\r\n\r\n/) ??
        assert.fail("The connection ended");
      client.received = client.received.slice(head.length);
    }
  }
}

/** Asks for so many server names that there are not, each on a connection of its own. */
async function askServerNames(count: number): Promise<void> {
  const visitors = 16;
  await Promise.all(Array.from({ length: visitors }, async () => {
    for (let asked = 0; asked < count; asked += visitors) {
      using client = await bare();
      await client.write(records(helloMessage({ serverName: madeUp() })));
      assert.equal((await client.receiveAll()).charCodeAt(6), 112);
    }
  }));
}

Deno.test("When all places are taken, idle visitors make room", async () => {
  await using server = await startTestServer(await options({ maxConnections: 24 }));
  await deploy(server);
  const idle: TlsClient[] = [];
  for (let i = 0; i < 24; i++) {
    const client = await (i % 2 ? plain : http1)(server);
    await answeredAfter(client);
    idle.push(client);
  }
  using good = await http1(server);
  await answeredAfter(good);
  for (const client of idle) client[Symbol.dispose]();
});

Deno.test("When all places are taken, busy visitors keep theirs", async () => {
  await using server = await startTestServer(await options({ maxConnections: 24 }));
  await deploy(server);
  const busy: TlsClient[] = [];
  const inFlight = async () => (await server.isolates()).reduce((sum, { inFlight }) => sum + inFlight, 0);
  while (busy.length < 24) {
    const client = await plain(server);
    await client.write(get("/wait?busy"));
    busy.push(client);
  }
  await until("all are busy", async () => await inFlight() === 24);
  using late = await plain(server);
  await late.write(get("/head")).catch(() => {});
  assert.equal(await late.receiveAll(), "");
  busy.pop()![Symbol.dispose]();
  await until("one has left", async () => await inFlight() === 23);
  using next = await plain(server);
  await answeredAfter(next);
  for (const client of busy) client[Symbol.dispose]();
});

Deno.test("One address may not take all places, so that others find one", async () => {
  await using server = await startTestServer(await options({ maxConnectionsPerAddress: 8 }));
  await deploy(server);
  const taken = [];
  for (let i = 0; i < 8; i++) {
    const client = await (i % 2 ? plain : http1)(server);
    await answeredAfter(client);
    taken.push(client);
  }
  for (const open of [plain, bare]) {
    using refused = await open(server);
    assert.equal(await refused.receiveAll(), "");
  }
  const { stdout } = await new Deno.Command("curl", {
    args: [
      "-sS",
      "--interface",
      "127.0.0.2",
      "-H",
      `Host: ${NAME}`,
      `http://127.0.0.1:${server.httpPort}/head`,
    ],
  }).output();
  assert.equal(new TextDecoder().decode(stdout), "twelve bytes");
  for (const client of taken) client[Symbol.dispose]();
});
