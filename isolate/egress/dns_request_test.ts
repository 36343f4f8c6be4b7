import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { encodeDnsAnswer, parseDnsRequest } from "./dns_request.ts";
import { ProtocolError } from "./protocol_error.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("a question is one line of JSON", () => {
  const line = '{"resolve":{"name":"example.com","type":"MX"}}\n';
  assert.deepEqual(parseDnsRequest(encode(line)), {
    value: { name: "example.com", type: "MX" },
    bytes: line.length,
  });
  for (let end = 0; end < line.length; end++) assert.equal(parseDnsRequest(encode(line.slice(0, end))), null);
  assert.equal(
    new TextDecoder().decode(encodeDnsAnswer({ records: ["1.2.3.4"] })),
    '{"records":["1.2.3.4"]}\n',
  );
});

Deno.test("any other line, and one over 1 KiB, is an error", () => {
  const lines = [
    "\n",
    "{\n",
    "null\n",
    "[]\n",
    "{}\n",
    '{"resolve":null}\n',
    '{"resolve":{"name":"a"}}\n',
    '{"resolve":{"name":1,"type":"A"}}\n',
    '{"resolve":{"name":"a","type":["A"]}}\n',
    `{"resolve":{"name":"${"a".repeat(1024)}","type":"A"}}\n`,
    " ".repeat(1024),
  ];
  for (const line of lines) {
    assert.throws(() => parseDnsRequest(encode(line)), ProtocolError, line.slice(0, 50));
  }
  assert.throws(() => parseDnsRequest(Uint8Array.of(0x7b, 0xff, 0x0a)), ProtocolError);
});

Deno.test("mutated questions are read or refused, never anything else", () => {
  const random = new SeededRandom(53);
  const line = encode('{"resolve":{"name":"a.example.com","type":"TXT"}}\n');
  for (let i = 0; i < 20_000; i++) {
    try {
      parseDnsRequest(random.mutate(line));
    } catch (error) {
      assert.ok(error instanceof ProtocolError, `${error}`);
    }
  }
});
