import assert from "node:assert/strict";
import v8 from "node:v8";
import vm from "node:vm";
import { Answer } from "./answer.ts";
import { HeldBytes } from "./held_bytes.ts";
import { ReadTurns } from "./read_turns.ts";

v8.setFlagsFromString("--expose-gc");
const collectGarbage: () => void = vm.runInNewContext("gc");

Deno.test("An answer that goes on and on ends with its signal, whatever was collected as garbage before", async () => {
  const { promise: isLeft, resolve: leave } = Promise.withResolvers<void>();
  let timer: ReturnType<typeof setInterval>;
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () =>
    new Response(
      new ReadableStream({
        start(controller) {
          timer = setInterval(() => controller.enqueue(new Uint8Array(1)), 5);
        },
        cancel() {
          clearInterval(timer);
          leave();
        },
      }),
    ));
  const ended = new AbortController();
  const { signal } = ended;
  const ask = async () => {
    const response = await fetch(`http://127.0.0.1:${server.addr.port}/`, { signal });
    return new Answer(response, { signal, held: new HeldBytes(), turns: new ReadTurns() });
  };
  await using answer = await ask();
  let chunks = 0;
  const read = async () => {
    for await (const _ of answer.chunks(100)) {
      collectGarbage();
      if (++chunks === 5) ended.abort(new Error("it is over"));
    }
  };
  await assert.rejects(read(), /it is over/);
  await isLeft;
});

/** What is answered byte by byte. */
async function inCrumbs(bytes: number): Promise<{ answer: Answer } & AsyncDisposable> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(1024));
    const text = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${
      "1\r\n \r\n".repeat(bytes)
    }0\r\n\r\n`;
    await ReadableStream.from([new TextEncoder().encode(text)]).pipeTo(connection.writable);
  })().catch(() => {}); // Nobody has to read all of it.
  const signal = AbortSignal.timeout(10_000);
  const response = await fetch(`http://127.0.0.1:${listener.addr.port}/`, { signal });
  const answer = new Answer(response, { signal, held: new HeldBytes(), turns: new ReadTurns() });
  return {
    answer,
    async [Symbol.asyncDispose]() {
      await answer[Symbol.asyncDispose]();
      listener.close();
      await serving;
    },
  };
}

Deno.test("A piece that is held takes no more memory than it has bytes", async () => {
  await using crumbs = await inCrumbs(1000);
  let memory = 0;
  for await (const { buffer } of crumbs.answer.heldChunks(1000)) memory += buffer.byteLength;
  assert.equal(memory, 1000);
});

Deno.test("An answer that comes in crumbs is not read on and on", async () => {
  await using crumbs = await inCrumbs(40_000);
  await assert.rejects(crumbs.answer.bytes(100_000), {
    code: "invalid",
    message: "its answer comes in pieces of less than 512 bytes",
  });
});
