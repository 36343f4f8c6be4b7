import assert from "node:assert/strict";
import { largeApp } from "./large_app.ts";

/** The most code that a deployment may have. */
const MAX_CODE_BYTES = 20 * 1024 ** 2;

Deno.test("the large app is 20 MB of code, as much as may be deployed", () => {
  const files = largeApp();
  const bytes = Object.values(files).reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0);
  assert.ok(bytes > 20e6 && bytes <= MAX_CODE_BYTES, `${bytes} bytes`);
});

Deno.test("a module of the large app is a program that works", async () => {
  const { "src/folder3/part7.js": text } = largeApp();
  const { operations } = await import(`data:text/javascript,${encodeURIComponent(text!)}`);
  assert.equal(operations.operation0(["a", "b"]), "a:0.500,b:0.500");
});
