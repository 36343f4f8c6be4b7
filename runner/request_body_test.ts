import assert from "node:assert/strict";
import { Connection } from "./connection.ts";
import { GatewayError } from "./errors.ts";
import { RequestBody } from "./request_body.ts";
import { RawIsolate } from "./testing/raw_isolate.ts";

const USAGE = { isolateId: "i1", requests: 0, inFlight: 0, lastActiveAt: 0, ingressBytes: 0, egressBytes: 0 };
const CHUNKED = "transfer-encoding: chunked\r\n";
const text = (chunk: string) => new TextEncoder().encode(chunk);

/** What an isolate gets of a body that comes in these chunks, and whether the body was whole. */
async function pass(
  headers: HeadersInit,
  chunks: (string | Error)[],
): Promise<{ framing: string; received: string; complete: boolean; failed: boolean }> {
  const received = Promise.withResolvers<string>();
  await using isolate = new RawIsolate(async (connection) => received.resolve(await connection.readAll()));
  const queue = [...chunks];
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const chunk = queue.shift();
      if (chunk === undefined) controller.close();
      else if (chunk instanceof Error) controller.error(chunk);
      else controller.enqueue(text(chunk));
    },
  }, { highWaterMark: 0 });
  const body = await RequestBody.open(stream, new Headers(headers));
  const connection = await Connection.open(isolate.socketPath, { ...USAGE });
  await connection.send("", body.first);
  await body.pump(connection);
  await body.ended;
  connection.close();
  const { framing, complete, failed } = body;
  return { framing, received: await received.promise, complete, failed };
}

Deno.test("a body keeps the framing that the visitor gave it", async () => {
  const rows: [headers: HeadersInit, chunks: string[], framing: string, received: string][] = [
    [{ "content-length": "5" }, ["hello"], "content-length: 5\r\n", "hello"],
    [{ "content-length": "5" }, ["he", "", "llo"], "content-length: 5\r\n", "hello"],
    [{ "content-length": "0" }, [], "content-length: 0\r\n", ""],
    [{ "transfer-encoding": "chunked" }, ["hello", "", "!"], CHUNKED, "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"],
    [{}, ["hello"], CHUNKED, "5\r\nhello\r\n0\r\n\r\n"],
    [{}, [], "", ""],
    [{}, ["", ""], "", ""],
  ];
  for (const [headers, chunks, framing, received] of rows) {
    assert.deepEqual(await pass(headers, chunks), { framing, received, complete: true, failed: false });
  }
});

Deno.test("a body that is not as long as it claims is broken off", async () => {
  const rows: [chunks: (string | Error)[], received: string][] = [
    [["he", "l"], "hel"],
    [["he", new Error("gone")], "he"],
    [["he", "llo!"], "he"],
  ];
  for (const [chunks, received] of rows) {
    const framing = "content-length: 5\r\n";
    assert.deepEqual(await pass({ "content-length": "5" }, chunks), {
      framing,
      received,
      complete: false,
      failed: true,
    });
  }
  const refused = (error: unknown) => error instanceof GatewayError && error.code === "BAD_REQUEST";
  await assert.rejects(pass({ "content-length": "2" }, ["hello"]), refused);
  await assert.rejects(pass({ "content-length": "5" }, [new Error("gone")]), refused);
});

Deno.test("a framing that cannot be passed on is refused", async () => {
  const refused = (error: unknown) => error instanceof GatewayError && error.code === "BAD_REQUEST";
  const rows: [name: string, value: string][] = [
    ["content-length", "3, 3"],
    ["content-length", "x"],
    ["transfer-encoding", "gzip, chunked"],
  ];
  for (const row of rows) await assert.rejects(pass([row], ["abc"]), refused);
});
