import assert from "node:assert/strict";
import { BareSandbox } from "./bare_sandbox.ts";

Deno.test("a bare sandbox answers, again and again", async () => {
  await using sandbox = await BareSandbox.prepare();
  for (let start = 0; start < 2; start++) assert.ok(await sandbox.firstByteMs() > 0);
});
