import assert from "node:assert/strict";
import { ByteBuffer } from "./byte_buffer.ts";
import { Connection } from "../isolates/connection.ts";
import { GatewayError } from "../errors.ts";
import { RequestBody } from "./request_body.ts";
import { RawIsolate } from "../testing/raw_isolate.ts";
import { VisitorConnection } from "./visitor_connection.ts";

const USAGE = { isolateId: "i1", requests: 0, inFlight: 0, lastActiveAt: 0, ingressBytes: 0, egressBytes: 0 };

/** A visitor who sends these pieces and then ends, or waits. */
function visitorOf(pieces: string[], thenWaits: boolean): VisitorConnection {
  const queue = [...pieces];
  const closed = Promise.withResolvers<null>();
  return new VisitorConnection({
    read(buffer) {
      const piece = queue.shift();
      if (piece === undefined) return thenWaits ? closed.promise : Promise.resolve(null);
      return Promise.resolve(new TextEncoder().encodeInto(piece, buffer).written);
    },
    write: (bytes) => Promise.resolve(bytes.length),
    closeWrite: () => Promise.resolve(),
    close: () => closed.resolve(null),
  }, { hostname: "192.0.2.7", port: 1 });
}

/** What an isolate gets of a body that comes in these pieces, the first of them with the head. */
async function pass(contentLength: number, pieces: string[], thenWaits = true) {
  const received = Promise.withResolvers<string>();
  await using isolate = new RawIsolate(async (connection) => received.resolve(await connection.readAll()));
  const visitor = visitorOf(pieces, thenWaits);
  if (pieces.length > 0) await visitor.fill();
  const body = new RequestBody(visitor, contentLength);
  const out = new ByteBuffer();
  body.begin(out);
  const connection = await Connection.open(isolate.socketPath, { ...USAGE });
  await connection.send(out.view);
  await body.pump(connection);
  connection.close();
  visitor.close();
  const { complete, failure } = body;
  return {
    received: await received.promise,
    complete,
    failure: failure?.code,
    rest: String.fromCharCode(...visitor.unread),
  };
}

Deno.test("a body keeps the framing that the visitor gave it, and what follows is left", async () => {
  const length = (bytes: number) => `content-length: ${bytes}\r\n\r\n`;
  const chunked = "transfer-encoding: chunked\r\n\r\n";
  const rows: [contentLength: number, pieces: string[], received: string, rest: string][] = [
    [5, ["hello"], `${length(5)}hello`, ""],
    [5, ["he", "llo"], `${length(5)}hello`, ""],
    [5, ["he", "lloGET"], `${length(5)}hello`, "GET"],
    [0, [], length(0), ""],
    [Infinity, ["5\r\nhello\r\n0\r\n\r\n"], `${chunked}5\r\nhello\r\n0\r\n\r\n`, ""],
    [Infinity, ["1\r\na\r\n2;x\r\nbc\r\n", "0\r\nx: y\r\n\r\nGET"], `${chunked}3\r\nabc\r\n0\r\n\r\n`, "GET"],
    [Infinity, ["0\r\n\r\n"], `${chunked}0\r\n\r\n`, ""],
  ];
  for (const [contentLength, pieces, received, rest] of rows) {
    assert.deepEqual(await pass(contentLength, pieces), {
      received,
      complete: true,
      failure: undefined,
      rest,
    });
  }
});

Deno.test("a body is not complete while its last bytes wait for the isolate", async () => {
  const rows: [contentLength: number, piece: string][] = [[5, "hello"], [
    Infinity,
    "5\r\nhello\r\n0\r\n\r\n",
  ]];
  for (const [contentLength, piece] of rows) {
    const begun = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    const slow = {
      write() {
        begun.resolve();
        return taken.promise;
      },
    };
    const visitor = visitorOf([piece], true);
    const body = new RequestBody(visitor, contentLength);
    body.begin(new ByteBuffer());
    const pumped = body.pump(slow as unknown as Connection);
    await begun.promise;
    assert.equal(body.complete, false);
    taken.resolve();
    await pumped;
    assert.equal(body.complete, true);
    visitor.close();
  }
});

Deno.test("a body that ends early or breaks its framing is broken off", async () => {
  const early = await pass(5, ["he", "l"], false);
  assert.deepEqual([early.complete, early.failure], [false, "BAD_REQUEST"]);
  const malformed = await pass(Infinity, ["1\r\na\r\n", "x\r\n"]);
  assert.deepEqual([malformed.complete, malformed.failure], [false, "BAD_REQUEST"]);
  assert.ok(!malformed.received.endsWith("0\r\n\r\n"));
  await assert.rejects(
    pass(Infinity, ["x\r\n"]),
    (error: unknown) => error instanceof GatewayError && error.code === "BAD_REQUEST",
  );
});
