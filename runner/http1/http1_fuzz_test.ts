import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { Handler } from "../handler.ts";
import { Leases } from "../isolates/leases.ts";
import { AppIsolate } from "../testing/app_isolate.ts";
import { readRequests, readResponses, type SentRequest } from "../testing/http1_reference.ts";
import { RawVisitor } from "../testing/raw_visitor.ts";
import { startTestRunner, until } from "../testing/test_runner.ts";
import { VisitorConnection, type VisitorSocket } from "./visitor_connection.ts";

const SPLITS = 400;
const MUTATIONS = 1000;
const LEAVERS = 400;
const CASE_TIMEOUT_MS = 20_000;
const INNER = "GET /smuggled HTTP/1.1\r\nhost: shop.example\r\n\r\n";
const ROUTE = { deploymentId: "d1", maxConcurrency: 100, requestTimeoutMs: 0 };

const isRouted = (hostname: string) => hostname === "shop.example";
const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const fromLatin1 = (bytes: Uint8Array) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
};

/** What identifies a request, and what the app says it has seen. */
function fingerprint({ method, target, body }: Omit<SentRequest, "hostname">): string {
  return createHash("sha1").update(JSON.stringify([method, target, body])).digest("hex");
}

/** An isolate that answers each request with what it understood of it, and remembers that. */
function understanding(seen: Set<string>): AppIsolate {
  return AppIsolate.serving(async (request) => {
    const { method, url } = request;
    const target = fromLatin1(new TextEncoder().encode(url)).replace(/^http:\/\/[^/?]*/, "");
    const body = await request.bytes().then(fromLatin1, () => null);
    const print = fingerprint({ method, target, body });
    seen.add(print);
    const headers = { "x-seen": print };
    if (target.includes("none")) return new Response(null, { status: 204, headers });
    if (target.includes("stream")) {
      return new Response(ReadableStream.from([latin1("one"), latin1("two")]), { headers });
    }
    return new Response("x".repeat(body?.length ?? 0), { headers });
  });
}

/** A valid sequence of requests on one connection. */
function requestsOf(random: SeededRandom, caseNumber: number): string {
  let text = "";
  for (let i = random.between(1, 6); i > 0; i--) text += requestOf(random, `/c${caseNumber}/${i}`);
  return text;
}

function requestOf(random: SeededRandom, path: string): string {
  const method = random.pick(["GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS"]);
  const hasBody = method === "POST" || method === "PUT" || method === "DELETE" && random.chance(0.5);
  const target = `${path}${random.pick(["", "/none", "/stream"])}${random.pick(["", "?q=%20&", "?/é"])}`;
  const fields = [`host: ${random.chance(0.9) ? "shop.example" : "other.example"}`];
  if (random.chance(0.3)) fields.push(`x-a:\t${"b".repeat(random.below(6000))} `, "X-A: c");
  if (random.chance(0.2)) fields.push("connection: keep-alive, x-a");
  if (random.chance(0.05)) fields.push("connection: close");
  if (hasBody && random.chance(0.2)) fields.push("expect: 100-continue");
  const data = random.pick(["", "x", INNER, "0\r\n\r\n", INNER.repeat(random.below(2000))]);
  const isOld = random.chance(0.1);
  const isChunked = hasBody && !isOld && random.chance(0.5);
  if (isOld) fields.push("connection: keep-alive");
  if (isChunked) fields.push("transfer-encoding: chunked");
  else if (hasBody) fields.push(`content-length: ${data.length}`);
  const emptyLine = random.chance(0.1) ? "\r\n" : "";
  const line = `${method} ${fromLatin1(new TextEncoder().encode(target))} HTTP/1.${isOld ? 0 : 1}`;
  const body = isChunked ? chunked(random, data) : hasBody ? data : "";
  return `${emptyLine}${line}\r\n${fields.join("\r\n")}\r\n\r\n${body}`;
}

function chunked(random: SeededRandom, data: string): string {
  let text = "";
  for (let at = 0; at < data.length;) {
    const size = Math.min(random.between(1, 20_000), data.length - at);
    const extension = random.pick(["", "", ";a", ' ;a="b"']);
    text += `${size.toString(16)}${extension}\r\n${data.slice(at, at + size)}\r\n`;
    at += size;
  }
  return `${text}0\r\n${random.pick(["", "x-t: 1\r\n"])}\r\n`;
}

/** A visitor whose pieces are read exactly as they are. */
class PiecewiseVisitor implements VisitorSocket {
  readonly #pieces: Uint8Array[];
  readonly #closed = Promise.withResolvers<null>();
  #change = Promise.withResolvers<void>();
  received = "";
  closed = false;

  constructor(pieces: Uint8Array[]) {
    this.#pieces = pieces;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    const piece = this.#pieces[0];
    if (piece === undefined) return await this.#closed.promise;
    const length = Math.min(piece.length, buffer.length);
    buffer.set(piece.subarray(0, length));
    if (length === piece.length) this.#pieces.shift();
    else this.#pieces[0] = piece.subarray(length);
    return length;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.received += fromLatin1(bytes);
    this.#change.resolve();
    return Promise.resolve(bytes.length);
  }

  /** Waits until something was written, or it is closed. */
  async changes(): Promise<void> {
    await this.#change.promise;
    this.#change = Promise.withResolvers();
  }

  closeWrite(): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
    this.#change.resolve();
    this.#closed.resolve(null);
  }
}

/** Of the answers to `text`, what does not differ from time to time. */
async function answersTo(handler: Handler, text: string, pieces: Uint8Array[]): Promise<unknown> {
  const socket = new PiecewiseVisitor(pieces);
  const { requests, end } = readRequests(text, isRouted);
  const methods = requests.map(({ method }) => method);
  const answers = () => readResponses(socket.received, methods);
  const served = handler.serve(new VisitorConnection(socket, { hostname: "192.0.2.7", port: 1 }));
  while (!socket.closed && !(end === "waits" && answers().length === requests.length)) {
    await socket.changes();
  }
  socket.close();
  await served;
  return answers().map(({ status, fields, body }, i) => {
    const seen = fields.get("x-seen") ?? null;
    assert.equal(seen, status === 404 ? null : fingerprint(requests[i]!));
    return [status, fields.get("connection"), fields.get("content-length"), seen === null ? null : body];
  });
}

Deno.test("however a sequence of requests is split, the answers are the same", async () => {
  const random = new SeededRandom(11);
  await using isolate = understanding(new Set());
  const source = {
    acquire: () => Promise.resolve({ isolateId: "i1", socketPath: isolate.socketPath }),
    release() {},
    broken: () => assert.fail("the isolate was called broken"),
  };
  using leases = new Leases({ idleTimeoutMs: 60_000, queueTimeoutMs: 5000 }, source);
  const handler = new Handler({ routes: new Map([["shop.example", ROUTE]]), leases });
  for (let i = 0; i < SPLITS; i++) {
    const text = requestsOf(random, i);
    const bytes = latin1(text);
    const whole = await answersTo(handler, text, [bytes]);
    assert.deepEqual(await answersTo(handler, text, random.split(bytes)), whole, `case ${i}`);
    if (bytes.length < 2000) {
      assert.deepEqual(
        await answersTo(handler, text, Array.from(bytes, (byte) => Uint8Array.of(byte))),
        whole,
      );
    }
    assert.equal(leases.usage()[0]?.inFlight ?? 0, 0);
  }
});

/** Sends `text` as it is and compares what comes back with what a second parser reads in it. */
async function compare(port: number, text: string, pieces: Uint8Array[]): Promise<SentRequest[]> {
  const { requests, end } = readRequests(text, isRouted);
  const answerable = requests.filter(({ body }) => body !== null);
  const methods = requests.map(({ method }) => method);
  using visitor = await RawVisitor.send(port, "");
  const timer = setTimeout(() => visitor[Symbol.dispose](), CASE_TIMEOUT_MS);
  // Whoever has refused a request does not read the rest for ever.
  const sent = (async () => {
    for (const piece of pieces) await visitor.write(piece);
  })().catch(() => {});
  const isAnswered = () => {
    const responses = readResponses(visitor.received, methods);
    return responses.length >= answerable.length && responses.every(({ status }) => status !== 400);
  };
  let over = false;
  while (!over && !(end === "waits" && isAnswered())) over = !await visitor.receiveMore();
  clearTimeout(timer);
  assert.ok(over || end === "waits", `a connection that ${end} goes on`);
  const responses = readResponses(visitor.received, methods);
  for (const [i, { status, fields }] of responses.entries()) {
    const seen = fields.get("x-seen");
    if (seen !== undefined) assert.equal(seen, fingerprint(requests[i]!));
    else if (status !== 404) {
      assert.ok(status === 400 && over && i === responses.length - 1, `${status} in the middle`);
    }
  }
  visitor[Symbol.dispose]();
  await sent;
  return requests;
}

/** Connections on a local port that somebody still holds. */
async function openConnections(port: number): Promise<number> {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = (await Deno.readTextFile("/proc/net/tcp")).split("\n");
  // ESTABLISHED and CLOSE_WAIT.
  return lines.filter((line) => {
    const [, address, , state] = line.trim().split(/\s+/);
    return address?.endsWith(local) && (state === "01" || state === "08");
  }).length;
}

Deno.test("whatever is sent, an isolate sees no request that a second parser does not see too", async () => {
  const random = new SeededRandom(12);
  const seen = new Set<string>();
  const sent = new Set<string>();
  await using isolate = understanding(seen);
  await using test = await startTestRunner({ acquire: isolate.socketPath });
  const { port } = test;
  for (let i = 0; i < MUTATIONS; i++) {
    const bytes = random.mutate(latin1(requestsOf(random, i)));
    const requests = await compare(
      port,
      fromLatin1(bytes),
      random.chance(0.5) ? [bytes] : random.split(bytes),
    )
      .catch((error) => {
        throw new Error(`Case ${i} failed: ${JSON.stringify(fromLatin1(bytes).slice(0, 3000))}`, {
          cause: error,
        });
      });
    for (const request of requests) {
      sent.add(fingerprint(request)).add(fingerprint({ ...request, body: null }));
    }
  }
  await until(async () => (await test.runner.inFlight()).length === 0);
  await until(async () => await openConnections(port) === 0);
  assert.ok(seen.size > MUTATIONS, "the fuzzer never gets through");
  for (const print of seen) assert.ok(sent.has(print), "an isolate saw a request that nobody sent");
  assert.deepEqual(test.broken, []);
  assert.deepEqual(test.acquired, ["d1"]);
});

Deno.test("visitors who leave at any point leave nothing behind", async () => {
  const random = new SeededRandom(13);
  await using isolate = understanding(new Set());
  await using test = await startTestRunner({
    acquire: async (call) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return { isolateId: `i${call}`, socketPath: isolate.socketPath };
    },
    route: { maxConcurrency: 4 },
  });
  const { port } = test;
  const visit = async (pieces: Uint8Array[], sends: number, reads: number) => {
    using visitor = await RawVisitor.send(port, "");
    const sent = (async () => {
      for (const piece of pieces.slice(0, sends)) await visitor.write(piece);
    })().catch(() => {});
    for (let i = 0; i < reads && await visitor.receiveMore(); i++);
    visitor[Symbol.dispose]();
    await sent;
  };
  for (let i = 0; i < LEAVERS; i += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, j) => {
      const pieces = random.split(latin1(requestsOf(random, i + j).replaceAll("GET /c", "GET /stream/c")));
      const sends = random.between(1, pieces.length);
      // Who has sent too little to be answered must not wait for it.
      return visit(pieces, sends, sends === pieces.length ? random.below(2) : 0);
    }));
  }
  await until(async () => (await test.runner.inFlight()).length === 0);
  await until(async () => await openConnections(port) === 0);
  assert.equal(await (await fetch(test.origin)).text(), "");
  assert.deepEqual(test.broken, []);
});
