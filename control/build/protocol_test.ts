import assert from "node:assert/strict";
import { parseBuilderMessage } from "./protocol.ts";

const image = {
  mode: "bundle",
  entry: ".isola/main.mjs",
  files: [{ path: ".isola/main.mjs", from: ".isola/main.mjs" }],
};
const done = (changes: Record<string, unknown>) =>
  JSON.stringify({ type: "done", image: { ...image, ...changes } });

Deno.test("A builder's messages are read", () => {
  assert.deepEqual(parseBuilderMessage(`{"type":"log","level":"info","message":"hello","more":1}`), {
    type: "log",
    level: "info",
    message: "hello",
  });
  assert.deepEqual(parseBuilderMessage(done({})), { type: "done", image });
  const link = { path: "node_modules/a", target: ".deno/a@1/node_modules/a" };
  assert.deepEqual(parseBuilderMessage(done({ files: [link], config: "deno.json", reason: "why" })), {
    type: "done",
    image: { ...image, files: [link], config: "deno.json", reason: "why" },
  });
});

Deno.test("What is not a builder's message is refused", async (t) => {
  const cases: Record<string, string> = {
    "not JSON": "hello",
    "not an object": "1",
    "no type": "{}",
    "an unknown level": `{"type":"log","level":"fatal","message":""}`,
    "a message that is no text": `{"type":"failed","message":1}`,
    "an unknown mode": done({ mode: "eszip" }),
    "an entry outside": done({ entry: "../main.ts" }),
    "an absolute file": done({ files: [{ path: "a", from: "/etc/passwd" }] }),
    "a file from outside": done({ files: [{ path: "a", from: "../../etc/passwd" }] }),
    "a path outside": done({ files: [{ path: "../a", from: "a" }] }),
    "a link outside": done({ files: [{ path: "a", target: "../b" }] }),
    "a configuration outside": done({ config: "/etc/deno.json" }),
    "too many files": done({ files: Array.from({ length: 100_001 }, () => 0) }),
  };
  for (const [name, line] of Object.entries(cases)) {
    await t.step(
      name,
      () => assert.throws(() => parseBuilderMessage(line), /^(TypeError: Cannot read|SyntaxError)/),
    );
  }
});
