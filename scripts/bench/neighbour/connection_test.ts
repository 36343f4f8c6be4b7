import assert from "node:assert/strict";
import { VisitorConnection } from "./connection.ts";

const decoder = new TextDecoder();

/** Accepts one connection and writes one answer, in those pieces, for each request that comes; then ends. */
async function answer(listener: Deno.TcpListener, answers: string[][]): Promise<string[]> {
  using connection = await listener.accept();
  const requests: string[] = [];
  for (const pieces of answers) {
    const buffer = new Uint8Array(1024);
    requests.push(decoder.decode(buffer.subarray(0, (await connection.read(buffer))!)));
    for (const piece of pieces) await connection.write(new TextEncoder().encode(piece));
  }
  return requests;
}

async function visitor(answers: string[][]) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests = answer(listener, answers);
  const connection = await VisitorConnection.open(listener.addr.port, "shop.localhost");
  return {
    connection,
    async [Symbol.asyncDispose]() {
      connection[Symbol.dispose]();
      await requests;
      listener.close();
    },
    requests,
  };
}

Deno.test("a connection asks again and again, and tells statuses from codes of the data plane", async () => {
  const body = "x".repeat(100_000);
  await using visited = await visitor([
    ["HTTP/1.1 200 OK\r\nContent-Length: 2\r", "\n\r\nok"],
    [`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`],
    ["HTTP/1.1 502 Bad Gateway\r\nx-isola-error: TIME_LIMIT\r\ncontent-length: 0\r\n\r\n"],
  ]);
  const { connection, requests } = visited;
  assert.deepEqual([await connection.get(), await connection.get(), await connection.get()], [
    "200",
    "200",
    "TIME_LIMIT",
  ]);
  for (const request of await requests) {
    assert.match(request, /^GET \/ HTTP\/1\.1\r\nhost: shop\.localhost\r\n/);
  }
});

Deno.test("an answer that is cut short, or does not say how long it is, is an error", async () => {
  for (
    const [text, message] of [
      ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok", /the connection ended/],
      ["HTTP/1.1 200 OK\r\n\r\nok", /its head is "HTTP/],
    ] as const
  ) {
    await using visited = await visitor([[text]]);
    await assert.rejects(visited.connection.get(), { message });
  }
});
