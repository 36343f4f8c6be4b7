import assert from "node:assert/strict";
import { Handler } from "./handler.ts";
import { Leases } from "./isolates/leases.ts";
import { Observer } from "./observation/observer.ts";
import { RawIsolate } from "./testing/raw_isolate.ts";
import { VisitorConnection, type VisitorSocket } from "./http1/visitor_connection.ts";

const REQUESTS = 200;
const REQUEST = new TextEncoder().encode(
  "GET / HTTP/1.1\r\nhost: shop.example\r\naccept: */*\r\naccept-encoding: gzip, br\r\naccept-language: en\r\n" +
    "cookie: session=1; theme=dark\r\nreferer: https://shop.example/\r\nsec-fetch-mode: navigate\r\n" +
    "user-agent: test\r\n\r\n",
);
const RESPONSE = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ndate: Sun, 22 Nov 2026 00:00:00 GMT\r\n\r\nhello";

/** What it cost to answer the requests of one connection, one after the other. */
class Counts {
  visitorReads = 0;
  visitorWrites = 0;
  isolateConnections = 0;
  isolateReads = 0;
  isolateWrites = 0;
  acquired = 0;
  timers = 0;
  told = 0;
}

/** A visitor who sends the next request when the last one is answered. */
function visitorSocket(counts: Counts): VisitorSocket {
  let answered = Promise.resolve();
  let answer = () => {};
  return {
    async read(buffer) {
      await answered;
      ({ promise: answered, resolve: answer } = Promise.withResolvers<void>());
      if (counts.visitorReads++ === REQUESTS) return null;
      buffer.set(REQUEST);
      return REQUEST.length;
    },
    write(bytes) {
      counts.visitorWrites++;
      answer();
      return Promise.resolve(bytes.length);
    },
    closeWrite: () => Promise.resolve(),
    close() {},
  };
}

/** Counts what is done with connections to isolates, and timers, until it is disposed. */
function counting(counts: Counts): Disposable {
  const { connect } = Deno;
  const { setTimeout } = globalThis;
  Deno.connect = (async (options: Deno.UnixConnectOptions) => {
    counts.isolateConnections++;
    const conn = await connect(options);
    const { read, write } = conn;
    conn.read = (buffer) => {
      counts.isolateReads++;
      return read.call(conn, buffer);
    };
    conn.write = (bytes) => {
      counts.isolateWrites++;
      return write.call(conn, bytes);
    };
    return conn;
  }) as typeof Deno.connect;
  globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
    counts.timers++;
    return setTimeout(...args);
  }) as typeof setTimeout;
  return {
    [Symbol.dispose]() {
      Deno.connect = connect;
      globalThis.setTimeout = setTimeout;
    },
  };
}

Deno.test("a request costs one read and one write on each side, no timer, and no word to anybody else", async () => {
  await using isolate = RawIsolate.answering(RESPONSE);
  const counts = new Counts();
  const source = {
    acquire: () => {
      counts.acquired++;
      return Promise.resolve({ isolateId: "i1", socketPath: isolate.socketPath });
    },
    release() {},
    broken() {},
  };
  using leases = new Leases({ idleTimeoutMs: 60_000, queueTimeoutMs: 5000 }, source);
  const routes = new Map([["shop.example", {
    deploymentId: "d1",
    maxConcurrency: 100,
    requestTimeoutMs: 0,
  }]]);
  using observer = new Observer({ send: () => counts.told++, telemetry: null });
  const handler = new Handler({ routes, leases, observer });
  {
    using _counting = counting(counts);
    await handler.serve(
      new VisitorConnection(visitorSocket(counts), { hostname: "192.0.2.7", port: 1 }),
    );
  }
  assert.deepEqual({ ...counts }, {
    visitorReads: REQUESTS + 1,
    visitorWrites: REQUESTS,
    isolateConnections: 1,
    // While it rests a read waits for what may come.
    isolateReads: REQUESTS + 1,
    isolateWrites: REQUESTS,
    acquired: 1,
    // Of the first request, which waits for the isolate.
    timers: 1,
    told: 0,
  });
});
