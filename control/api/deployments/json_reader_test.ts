import assert from "node:assert/strict";
import { JsonReader } from "./json_reader.ts";

const TEXT = String
  .raw` { "a" : [1, {"x\"]": "}\\"}, null], "b":"\"\\\u00e9\ud83e\udd95 \n🦕", "":-1.5e3,"d":{},"e": true , "f":"" } `;

/** Pieces of that many UTF-16 units. */
async function* pieces(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

async function readObject(text: string, size: number, streamed: readonly string[] = []): Promise<unknown> {
  await using reader = new JsonReader(pieces(text, size), { maxHeld: 1000, maxValues: 100 });
  const members: [string, unknown][] = [];
  for await (const name of reader.members()) {
    if (!streamed.includes(name)) {
      members.push([name, await reader.value()]);
      continue;
    }
    let whole = "";
    for await (const piece of reader.string()) {
      assert.ok(piece.isWellFormed(), JSON.stringify(piece));
      whole += piece;
    }
    members.push([name, whole]);
  }
  await reader.end();
  return Object.fromEntries(members);
}

Deno.test("a text is read alike however it is cut", async () => {
  for (let size = 1; size <= TEXT.length; size++) {
    assert.deepEqual(await readObject(TEXT, size), JSON.parse(TEXT), `${size}`);
    assert.deepEqual(await readObject(TEXT, size, ["b", "f"]), JSON.parse(TEXT), `${size}, streamed`);
  }
});

Deno.test("what is not JSON is refused, whether it is read in pieces or not", async () => {
  const texts = [
    "",
    "[]",
    "{",
    "{}x",
    '{"a"}',
    '{"a":}',
    '{"a":1',
    '{"a":1,}',
    '{"a":1 "b":2}',
    "{a:1}",
    '{"a":"',
    '{"a":"\\',
    '{"a":"\\u12"}',
    '{"a":"\\x"}',
    '{"a":"\n"}',
    '{"a":[1}',
    '{"a":01}',
    '{"a":nul}',
  ];
  for (const text of texts) {
    for (const size of [1, 2, 100]) {
      for (const streamed of text.includes('"a":"') ? [[], ["a"]] : [[]]) {
        await assert.rejects(
          readObject(text, size, streamed),
          { code: "badRequest", message: /^The request body is not JSON: / },
          text,
        );
      }
    }
  }
});

Deno.test("a lone surrogate of a string in pieces stays as it is", async () => {
  for (const size of [1, 3, 100]) {
    await using reader = new JsonReader(pieces(String.raw`"a\ud83e"`, size), { maxHeld: 10, maxValues: 10 });
    let whole = "";
    for await (const piece of reader.string()) whole += piece;
    assert.equal(whole, "a\ud83e");
  }
});

Deno.test("what is held is bounded, and what is read in pieces is not held", async () => {
  const long = "x".repeat(2000);
  for (const text of [`{"a":"${long}"}`, `{"${long}":1}`, `{"a":[${"1,".repeat(1000)}1]}`]) {
    await assert.rejects(readObject(text, 100), { code: "bodyTooLarge" });
  }
  assert.deepEqual(await readObject(`{"a":"${long}"}`, 100, ["a"]), { a: long });
});

Deno.test("so are keys and values, however short, and how deep they are", async () => {
  await assert.rejects(readObject(`{${'"":1,'.repeat(50)}"":1}`, 100), {
    code: "bodyTooLarge",
    message: "The request body has more than 100 keys and values",
  });
  const nested = (depth: number) => `{"a":${"[".repeat(depth)}"\\\"[["${"]".repeat(depth)}}`;
  await readObject(nested(255), 100);
  await assert.rejects(readObject(nested(257), 100), {
    code: "badRequest",
    message: "The request body is nested more than 256 levels deep",
  });
});
