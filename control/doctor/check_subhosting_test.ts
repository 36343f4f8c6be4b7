import assert from "node:assert/strict";
import { loadConfig } from "../config/config.ts";
import { checkSubhosting } from "./check_subhosting.ts";

function configOf(subhosting: unknown) {
  return loadConfig({
    flags: { config: "/isola.yaml" },
    env: {},
    readFile: () => JSON.stringify({ subhosting }),
    cwd: "/",
    memoryBytes: 2 ** 30,
  });
}

Deno.test("an origin that does not answer, and a secret that can be guessed, are found", async () => {
  const origin = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(null, { status: 401 }),
  );
  const config = configOf([
    { id: "acme", secret: "short", rpcRoots: [`http://127.0.0.1:${origin.addr.port}/v0/`] },
  ]);
  const answering = await checkSubhosting(config);
  assert.deepEqual(answering.map(({ status }) => status), ["warning", "ok"]);
  assert.match(answering[0]!.message, /^secret of subhoster "acme" has fewer than 32 bytes/);
  await origin.shutdown();
  const [, away] = await checkSubhosting(config);
  assert.equal(away!.status, "warning");
  assert.match(away!.message, /^the origin of "acme" does not answer at http:.*refused/);
  assert.deepEqual(await checkSubhosting(configOf([])), []);
});
