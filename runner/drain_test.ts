import assert from "node:assert/strict";
import { makeCertificate } from "./front/testing/certificates.ts";
import { FLAG, FRAME, PREFACE } from "./http2/protocol.ts";
import { frame, request } from "./http2/testing/frame_client.ts";
import { RawIsolate } from "./testing/raw_isolate.ts";
import { startTestRunner, type TestRunner } from "./testing/test_runner.ts";

const CERTIFICATE = await makeCertificate("localhost");
/** More than the connection to a visitor who does not read holds by itself. */
const BODY_BYTES = 8 * 1024 * 1024;
const ANSWER = await bytesOf(
  `HTTP/1.1 200 OK\r\ncontent-length: ${BODY_BYTES}\r\n\r\n`,
  new Uint8Array(BODY_BYTES),
);
/** Longer than a connection lingers on which nothing was sent for a while. */
const PAUSE_MS = 1500;

const HTTP1 = await bytesOf("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
const HTTP1_LAST = await bytesOf("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
/** With windows that never close. */
const HTTP2 = await bytesOf(
  PREFACE,
  frame(FRAME.settings, 0, 0, "0004 7fffffff"),
  frame(FRAME.windowUpdate, 0, 0, "7fff0000"),
  request(1, [[":method", "GET"], [":scheme", "https"], [":path", "/"], [":authority", "localhost"]]),
);
const HTTP2_PONG = frame(FRAME.ping, FLAG.ack, 0, await bytesOf("draining"));
const HTTP2_TAKEN = frame(FRAME.windowUpdate, 0, 0, "00000001");

/** Those who ask for the body, each in another way. */
const VISITORS: { protocol: "h2" | "http/1.1" | "plain"; asks: Uint8Array }[] = [
  { protocol: "http/1.1", asks: HTTP1 },
  { protocol: "http/1.1", asks: HTTP1_LAST },
  { protocol: "plain", asks: HTTP1 },
  { protocol: "h2", asks: HTTP2 },
  { protocol: "plain", asks: HTTP2 },
];

async function bytesOf(...parts: (string | Uint8Array)[]): Promise<Uint8Array> {
  return await new Blob(parts as BlobPart[]).bytes();
}

/** Who has asked for something, and reads of the answer only what it must. */
class SlowVisitor implements Disposable {
  readonly #conn: Deno.Conn;
  readonly #received: Uint8Array[] = [];

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Reads only until the runner has written all of the answer. */
  static async ask(test: TestRunner, { protocol, asks }: typeof VISITORS[number]): Promise<SlowVisitor> {
    const options = { hostname: "localhost", caCerts: [CERTIFICATE.chain], alpnProtocols: [protocol] };
    const visitor = new SlowVisitor(
      protocol === "plain"
        ? await Deno.connect({ port: test.port })
        : await Deno.connectTls({ ...options, port: test.runner.https!.port }),
    );
    await visitor.send(asks);
    do await visitor.#read(); while ((await test.runner.inFlight()).length > 0);
    return visitor;
  }

  /** Nobody may listen any more. */
  async send(bytes: Uint8Array): Promise<void> {
    await this.#conn.write(bytes).catch(() => {});
  }

  /** Reads to the end; `says` something after each read. */
  async readAll(says: Uint8Array): Promise<Uint8Array> {
    while (await this.#read()) if (says.length > 0) await this.send(says);
    return await bytesOf(...this.#received);
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }

  async #read(): Promise<boolean> {
    const buffer = new Uint8Array(256 * 1024);
    const bytes = await this.#conn.read(buffer).catch(() => null);
    if (bytes !== null) this.#received.push(buffer.subarray(0, bytes));
    return bytes !== null;
  }
}

/** The length of the body in what was received, in bytes. */
function bodyBytes(received: Uint8Array, isHttp2: boolean): number {
  if (!isHttp2) return received.length - new TextDecoder("latin1").decode(received).indexOf("\r\n\r\n") - 4;
  const view = new DataView(received.buffer);
  let bytes = 0;
  for (let at = 0, length; at + 9 <= received.length; at += 9 + length) {
    length = view.getUint32(at) >>> 8;
    if (received[at + 3] === FRAME.data) bytes += Math.min(length, received.length - at - 9);
  }
  return bytes;
}

Deno.test("a drain lasts until visitors have read what was written for them, however that goes", async () => {
  await using isolate = RawIsolate.answering(ANSWER);
  await using test = await startTestRunner({
    acquire: isolate.socketPath,
    certificates: [CERTIFICATE],
    options: { https: { hostname: "127.0.0.1", port: 0 }, redirect: false },
  });
  using visitors = new DisposableStack();
  const slow = [];
  for (const visitor of VISITORS) slow.push(visitors.use(await SlowVisitor.ask(test, visitor)));

  let isDrained = false;
  const startedAt = performance.now();
  const drained = test.runner.drain(20_000).then(() => isDrained = true);
  for (const [i, { asks }] of VISITORS.entries()) if (asks === HTTP2) await slow[i]!.send(HTTP2_PONG);
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  assert.equal(isDrained, false);
  const nothing = new Uint8Array(0);
  const bodies = await Promise.all(slow.map(async (visitor, i) => {
    const isHttp2 = VISITORS[i]!.asks === HTTP2;
    return bodyBytes(await visitor.readAll(isHttp2 ? HTTP2_TAKEN : nothing), isHttp2);
  }));
  assert.deepEqual(bodies, VISITORS.map(() => BODY_BYTES));
  visitors.dispose();
  await drained;
  assert.ok(performance.now() - startedAt < 15_000, "It waited for more than the visitors");
});
