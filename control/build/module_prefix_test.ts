import assert from "node:assert/strict";
import { prefixModule, withJsxRuntime } from "./module_prefix.ts";

Deno.test("A prefix stands before the first statement and after everything that has to come first", async (t) => {
  const cases: Record<string, [source: string, prefixed: string]> = {
    "a statement": [`a();`, `P;a();`],
    "a pragma comment": [`/** @jsx h */ a();`, `/** @jsx h */ P;a();`],
    "several comments": [`// one\n/* two\n */\n\n  a();\nb();`, `// one\n/* two\n */\n\n  P;a();\nb();`],
    "a #! line": [`#!/usr/bin/env deno\na();`, `#!/usr/bin/env deno\nP;a();`],
    "a byte order mark": [`\uFEFFa();`, `\uFEFFP;a();`],
    "nothing but a comment": [`// only this`, `// only this\nP;`],
    "an empty module": [``, `P;`],
  };
  for (const [name, [source, prefixed]] of Object.entries(cases)) {
    await t.step(name, () => assert.equal(prefixModule(source, "P;"), prefixed));
  }
});

Deno.test("A pragma comment with the package of the JSX runtime turns that runtime on", () => {
  const on = (source: string) => withJsxRuntime(source) !== source;
  assert.ok(on("/** @jsxImportSource npm:preact@10 */\n<a />;"));
  assert.ok(on("// first\n/* @jsxImportSource preact */ <a />;"));
  assert.ok(!on("/** @jsxRuntime classic */ /** @jsxImportSource preact */ <a />;"));
  assert.ok(!on("/** @jsx h */ <a />;"));
  assert.ok(!on("<a />; /** @jsxImportSource preact */"));
  assert.ok(!on("// @jsxImportSource preact\n<a />;"));
});
