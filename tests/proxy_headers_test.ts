import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { appSource, serverForTests } from "./server.ts";
import { TestCa } from "./test_ca.ts";

const NAME = "echo.apps.test";
/** Every loopback address is this machine's: one for each kind of proxy, and one that nobody named. */
const BY_LIST = "127.0.0.2";
const BY_FORWARDED = "127.0.0.3";
const BY_PROXY_HEADER = "127.0.0.4";
const STRANGER = "127.0.0.5";
const MAX_FOR_ADDRESS = 4;

let ca: TestCa;
const suite = serverForTests(async () => {
  ca = await TestCa.make();
  return {
    env: { ISOLA_HTTPS_ADDR: "127.0.0.1:0" },
    config: {
      baseDomain: "apps.test",
      httpRedirect: "on",
      tls: { certificates: [await ca.write([NAME])] },
      visitors: { maxConnectionsPerAddress: MAX_FOR_ADDRESS },
      trustedProxies: [
        { addresses: ["127.0.0.2/32"], by: "x-forwarded-for" },
        { addresses: [BY_FORWARDED], by: "forwarded" },
        { addresses: [BY_PROXY_HEADER], by: "proxy-protocol" },
      ],
    },
  };
});
Deno.test.beforeAll(async () => {
  await suite.server.deploy("echo", appSource("echo.ts"));
});
Deno.test.afterAll(() => ca[Symbol.dispose]());

interface Asked {
  /** Address of the peer. */
  from: string;
  /** Before all else, even TLS. */
  prologue?: string | Uint8Array;
  lines?: string[];
  tls?: boolean;
}

/** A connection of the address; over TLS or not. */
function open({ from, prologue = "", tls = false }: Asked): Socket {
  const { httpPort, httpsPort } = suite.server;
  const socket = connectTcp({ host: "127.0.0.1", port: tls ? httpsPort : httpPort, localAddress: from });
  socket.write(Buffer.from(prologue as string, "latin1"));
  if (!tls) return socket;
  return connectTls({ socket, servername: NAME, ca: ca.certificate, ALPNProtocols: ["http/1.1"] });
}

/** All that comes in answer to one request; "" = the connection was cut. */
function receive(asked: Asked): Promise<string> {
  const socket = open(asked);
  const head = ["GET /p HTTP/1.1", `Host: ${NAME}`, "Connection: close", ...asked.lines ?? []];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  return new Promise((resolve) => {
    let received = "";
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => received += text);
    socket.on("error", () => {});
    socket.on("close", () => resolve(received));
  });
}

/** Who asks, as the app has it. */
interface Visitor {
  address: string;
  /** 0 = not told; `undefined` = of the connection. */
  port: number | undefined;
  scheme: string;
}

async function seenBy(asked: Asked): Promise<Visitor> {
  const received = await receive(asked);
  assert.match(received, /^HTTP\/1\.1 200 /);
  const { url, remoteAddr, headers } = JSON.parse(/\{.*\}/.exec(received)![0]);
  const { [0]: scheme } = url.split(":");
  const { hostname: address, port } = remoteAddr as Deno.NetAddr;
  const field = (name: string) =>
    headers.filter(([one]: [string]) => one === name).map(([, value]: string[]) => value);
  assert.deepEqual(field("x-forwarded-for"), [address]);
  assert.deepEqual(field("x-forwarded-proto"), [scheme]);
  assert.deepEqual(field("x-forwarded-host"), [NAME]);
  assert.equal(url, `${scheme}://${NAME}/p`);
  const node = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  assert.deepEqual(field("forwarded"), [`for="${node}";host="${NAME}";proto=${scheme}`]);
  return { address, port, scheme };
}

/** Of a plain connection, which would be redirected to HTTPS if it were not for the proxy. */
async function isRedirected(asked: Asked): Promise<boolean> {
  return (await receive(asked)).startsWith("HTTP/1.1 308 ");
}

const CLAIMS = [
  "X-Forwarded-For: 203.0.113.9",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Host: other.test",
  "X-Real-IP: 203.0.113.9",
  "Forwarded: for=203.0.113.9;proto=https;host=other.test",
];

Deno.test("Whoever is not named as a proxy is itself, whatever it claims", async () => {
  assert.ok(await isRedirected({ from: STRANGER, lines: CLAIMS }));
  const { address, scheme } = await seenBy({ from: STRANGER, lines: CLAIMS, tls: true });
  assert.deepEqual([address, scheme], [STRANGER, "https"]);
});

Deno.test("A proxy named for X-Forwarded-For is believed in what it adds, and in that field alone", async () => {
  const https = "X-Forwarded-Proto: https";
  const cases: [lines: string[], address: string, port: number | undefined][] = [
    [["X-Forwarded-For: 203.0.113.9", https], "203.0.113.9", 0],
    [["X-Forwarded-For: 6.6.6.6, 203.0.113.9", https], "203.0.113.9", 0],
    [["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 203.0.113.9", https], "203.0.113.9", 0],
    [["X-Forwarded-For: 203.0.113.9, 127.0.0.2", https], "203.0.113.9", 0],
    [["X-Forwarded-For: 2001:db8::1", https], "2001:db8::1", 0],
    [["X-Forwarded-For: [2001:db8::1]:4711", https], "2001:db8::1", 4711],
    [["X-Forwarded-For: 203.0.113.9, unknown", https], BY_LIST, undefined],
    [["Forwarded: for=6.6.6.6", https], BY_LIST, undefined],
  ];
  for (const [lines, address, port] of cases) {
    const seen = await seenBy({ from: BY_LIST, lines });
    assert.deepEqual([seen.address, seen.scheme], [address, "https"], lines.join());
    if (port !== undefined) assert.equal(seen.port, port);
  }
  assert.ok(await isRedirected({ from: BY_LIST, lines: ["X-Forwarded-For: 203.0.113.9"] }));
  const overTls = await seenBy({ from: BY_LIST, lines: ["X-Forwarded-For: 203.0.113.9"], tls: true });
  assert.deepEqual([overTls.address, overTls.scheme], ["203.0.113.9", "https"]);
});

Deno.test("A proxy named for Forwarded is believed in that field alone", async () => {
  const cases: [lines: string[], address: string, port: number | undefined][] = [
    [["Forwarded: for=203.0.113.9;proto=https"], "203.0.113.9", 0],
    [['Forwarded: for=6.6.6.6, for="203.0.113.9:4711";proto=https'], "203.0.113.9", 4711],
    [['Forwarded: for="[2001:db8::1]:4711";proto=https;by=_x'], "2001:db8::1", 4711],
    [["Forwarded: for=_hidden;proto=https", "X-Forwarded-For: 6.6.6.6"], BY_FORWARDED, undefined],
  ];
  for (const [lines, address, port] of cases) {
    const seen = await seenBy({ from: BY_FORWARDED, lines });
    assert.deepEqual([seen.address, seen.scheme], [address, "https"], lines.join());
    if (port !== undefined) assert.equal(seen.port, port);
  }
  assert.ok(await isRedirected({ from: BY_FORWARDED, lines: ["X-Forwarded-Proto: https"] }));
});

/** Version 2 of the PROXY protocol (haproxy's proxy-protocol.txt §2.2). */
function binary(command: number, family: number, content: number[]): Uint8Array {
  const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
  return Uint8Array.from([
    ...signature,
    command,
    family,
    content.length >> 8,
    content.length & 255,
    ...content,
  ]);
}

const IPV6 = [0x20, 1, 0x0d, 0xb8, ...Array<number>(11).fill(0), 1];
const PORTS = [0x12, 0x67, 0, 80];
const HEADERS: [name: string, prologue: string | Uint8Array, address: string, port?: number][] = [
  ["TCP4", "PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\n", "203.0.113.9", 4711],
  ["TCP6", "PROXY TCP6 2001:db8::1 ::1 4711 80\r\n", "2001:db8::1", 4711],
  ["UNKNOWN", "PROXY UNKNOWN\r\n", BY_PROXY_HEADER],
  ["2, TCP4", binary(0x21, 0x11, [203, 0, 113, 9, 127, 0, 0, 1, ...PORTS]), "203.0.113.9", 4711],
  ["2, TCP6 and more", binary(0x21, 0x21, [...IPV6, ...IPV6, ...PORTS, 4, 0, 1, 0]), "2001:db8::1", 4711],
  ["2, LOCAL", binary(0x20, 0, []), BY_PROXY_HEADER],
];

Deno.test("A proxy named for the PROXY protocol says whose each connection is, by TLS as well", async () => {
  for (const [name, prologue, address, port] of HEADERS) {
    assert.ok(await isRedirected({ from: BY_PROXY_HEADER, prologue }), name);
    const seen = await seenBy({ from: BY_PROXY_HEADER, prologue, tls: true, lines: CLAIMS });
    assert.deepEqual([seen.address, seen.scheme], [address, "https"], name);
    if (port !== undefined) assert.equal(seen.port, port, name);
  }
});

Deno.test("A PROXY header that is missing or malformed ends the connection, and so does one of a stranger", async () => {
  const malformed = [
    "",
    "PROXY TCP4 203.0.113.9 127.0.0.1 4711\r\n",
    "PROXY TCP4 203.0.113.999 127.0.0.1 4711 80\r\n",
    "PROXY TCP5 203.0.113.9 127.0.0.1 4711 80\r\n",
    `PROXY TCP4 ${"1".repeat(200)}\r\n`,
    binary(0x21, 0x11, [203, 0, 113, 9]),
    binary(0x31, 0x11, [203, 0, 113, 9, 127, 0, 0, 1, ...PORTS]),
  ];
  for (const prologue of malformed) {
    assert.equal(await receive({ from: BY_PROXY_HEADER, prologue }), "", String(prologue));
  }
  for (const [name, prologue] of HEADERS) {
    assert.match(await receive({ from: STRANGER, prologue }), /^$|^HTTP\/1\.1 400 /, name);
    assert.match(await receive({ from: STRANGER, prologue, tls: true }), /^$/, name);
  }
});

Deno.test("Limits for one address are the visitor's, not the proxy's", async () => {
  const of = (address: string) => `PROXY TCP4 ${address} 127.0.0.1 4711 80\r\n`;
  const kept: Socket[] = [];
  for (let i = 0; i < MAX_FOR_ADDRESS; i++) {
    const socket = open({ from: BY_PROXY_HEADER, prologue: of("203.0.113.1") });
    socket.write(`GET /kept HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`);
    await new Promise((resolve) => socket.once("data", resolve));
    kept.push(socket);
  }
  assert.equal(await receive({ from: BY_PROXY_HEADER, prologue: of("203.0.113.1") }), "");
  assert.match(await receive({ from: BY_PROXY_HEADER, prologue: of("203.0.113.2") }), /^HTTP\/1\.1 308 /);
  await Promise.all(kept.map((socket) => {
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.destroy();
    return closed;
  }));
});
