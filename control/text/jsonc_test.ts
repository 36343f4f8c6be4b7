import assert from "node:assert/strict";
import { parseJsonc } from "./jsonc.ts";

Deno.test("comments and trailing commas are taken out, but not of strings", () => {
  const text = `// head
  { "a": "// no /* comment */ ,]", /* block
  */ "b": [1, 2, ], "c": "quote \\" // still text", // tail
  }`;
  assert.deepEqual(parseJsonc(text), {
    a: "// no /* comment */ ,]",
    b: [1, 2],
    c: 'quote " // still text',
  });
});

Deno.test("what is not JSON otherwise is refused", () => {
  for (const text of ["{a: 1}", "[1,,2]", "{", "/* open"]) assert.throws(() => parseJsonc(text), SyntaxError);
});
