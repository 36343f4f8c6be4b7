import assert from "node:assert/strict";
import { startChild, until } from "./child.ts";

Deno.test("waiting for a program that has ended says so at once", async () => {
  await using child = startChild("false", []);
  const never = () => Promise.reject(new Error("not ready"));
  await assert.rejects(
    until("a server", never, child),
    /^Error: Cannot wait for a server: it exited with code 1$/,
  );
});

Deno.test("a program ends with its disposal", async () => {
  const child = startChild("sleep", ["60"]);
  await child[Symbol.asyncDispose]();
  assert.notEqual(child.exitCode(), undefined);
});
