import assert from "node:assert/strict";
import { firstByteMs } from "../measures/first_byte.ts";
import { startIsolaServer } from "./isola_server.ts";
import { prepareData } from "./prepared_data.ts";

Deno.test("copies of a deployment are served by a server that never built them", async () => {
  const files = { "main.ts": `export default { fetch: () => new Response("copy") };\n` };
  await using data = await prepareData({ shop: { files, copies: 3 } });
  const { shop } = data.deployments;
  assert.equal(new Set(shop.map(({ id }) => id)).size, 3);
  await using server = await startIsolaServer({ dataDir: data.dataDir });
  for (const { host } of shop) assert.ok(await firstByteMs(server.port, host) > 0);
  await server.client.remove(shop[1]!.id);
  await assert.rejects(firstByteMs(server.port, shop[1]!.host), /404/);
  assert.ok(await firstByteMs(server.port, shop[2]!.host) > 0);
});
