import assert from "node:assert/strict";
import { Trial } from "../testing/trial.ts";

Deno.test("frameworks that ask for the machine get an answer that does not name it", async () => {
  await using trial = await Trial.serve(`
    import os, { hostname } from "node:os";
    import { createRequire } from "node:module";
    const required = createRequire(import.meta.url)("os");
    const names = [os.hostname(), hostname(), required.hostname(), Deno.hostname()];
    const addresses = Object.values(required.networkInterfaces()).flat().map(({ address }) => address);
    Deno.serve(() => Response.json({ names, addresses }));
  `);
  assert.deepEqual(await trial.json(), {
    names: ["localhost", "localhost", "localhost", "localhost"],
    addresses: ["127.0.0.1"],
  });
});
