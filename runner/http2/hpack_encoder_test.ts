import assert from "node:assert/strict";
import { encodeLatin1 } from "../http1/octets.ts";
import { HpackDecoder } from "./hpack_decoder.ts";
import { HpackEncoder } from "./hpack_encoder.ts";
import { OctetWriter } from "./octet_writer.ts";

type Field = readonly [name: string, value: string];

/** One connection: what is encoded is decoded. */
class Pair {
  readonly encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder();

  /** The size of the block in bytes. */
  send(status: number, fields: readonly Field[]): number {
    const out = new OctetWriter();
    this.encoder.begin(status, out);
    for (const [name, value] of fields) {
      const line = encodeLatin1(`${name}: ${value}`);
      const [nameEnd, valueStart] = [name.length, name.length + 2];
      this.encoder.field(line, { lineStart: 0, nameEnd, valueStart, valueEnd: line.length }, out);
    }
    const lines: string[] = [];
    this.#decoder.decode(
      out.view,
      0,
      out.length,
      ({ line }) => lines.push(String.fromCharCode(...line).trimEnd()),
    );
    const expected = fields.map(([name, value]) => `${name.toLowerCase()}: ${value}`.trimEnd());
    assert.deepEqual(lines, [`:status: ${status}`, ...expected]);
    return out.length;
  }
}

Deno.test("fields that come again are an octet or two", () => {
  const pair = new Pair();
  const fields: Field[] = [
    ["Content-Type", "text/html; charset=utf-8"],
    ["x-powered-by", "tests"],
    ["date", "Sun, 22 Nov 2026 07:00:00 GMT"],
  ];
  assert.ok(pair.send(200, fields) > 60);
  assert.equal(pair.send(200, fields), 4);
  assert.equal(pair.send(418, fields), 8);
});

Deno.test("names are known whatever their values and their case are", () => {
  const pair = new Pair();
  pair.send(200, [["x-request-id", "one"]]);
  assert.equal(pair.send(200, [["X-Request-Id", "two"]]), 1 + 1 + 4);
  assert.equal(pair.send(200, [["Content-Length", "12"]]), 1 + 2 + 3);
});

Deno.test("what changes each time and what is secret evicts nothing", () => {
  const pair = new Pair();
  const field: Field = ["x-a", "b"];
  pair.send(200, [field]);
  for (let i = 0; i < 300; i++) {
    pair.send(200, [["content-length", `${i}`], ["set-cookie", `id=${i}`], ["etag", `"${i}"`]]);
  }
  assert.equal(pair.send(200, [field]), 2);
  const out = new OctetWriter();
  const line = encodeLatin1("set-cookie: a=b");
  new HpackEncoder().field(line, { lineStart: 0, nameEnd: 10, valueStart: 12, valueEnd: 15 }, out);
  assert.equal(out.view[0]! & 0xf0, 0x10, "never indexed");
});

Deno.test("both tables stay the same while fields are evicted", () => {
  const pair = new Pair();
  for (let i = 0; i < 2000; i++) {
    pair.send(i % 2 ? 200 : 404, [
      [`x-name-${i % 70}`, `value ${i % 90}`],
      ["cache-control", `max-age=${i % 3}`],
      ["x-long", "l".repeat(i % 1500)],
      ["vary", ""],
    ]);
  }
});

Deno.test("the peer's table is never filled beyond what it allows", () => {
  const pair = new Pair();
  const field: Field = ["x-a", "b"];
  pair.send(200, [field]);
  pair.encoder.resize(0);
  pair.encoder.resize(100);
  assert.ok(pair.send(200, [field]) > 5, "the smaller size has evicted it");
  assert.equal(pair.send(200, [field]), 2);
  pair.send(200, [["x-b", "c"], ["x-c", "d"]]);
  assert.ok(pair.send(200, [field]) > 5, "there is room for two");
  pair.encoder.resize(0);
  pair.send(200, [field, field]);
  pair.encoder.resize(1_000_000);
  pair.send(200, [field]);
  assert.equal(pair.send(200, [field]), 2);
});
