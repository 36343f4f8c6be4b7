import assert from "node:assert/strict";
import { deployTo, run, startControlPlane } from "../control_plane_test.ts";

Deno.test("what a project, or all of the organization, has used is added up, and told to programs in rows of 15 minutes", async () => {
  await using plane = await startControlPlane();
  const [hello, shop] = [await deployTo(plane, "hello"), await deployTo(plane, "shop")];
  const used = {
    cpuMs: 1500,
    uptimeMs: 60_000,
    ingressBytes: 2048,
    egressBytes: 1024 ** 2,
    memoryBytes: 50 * 1024 ** 2,
  };
  assert.match((await run(plane, ["analytics", "-p", "hello"])).err, /Nothing was used/);
  plane.usage.add(hello, { ...used, requests: 3 });
  plane.usage.add(shop, { ...used, requests: 4 });
  const one = await run(plane, ["analytics", "-p", "hello", "--since", "7d"]);
  assert.match(one.out, /^all +3 +1\.5 s +60\.0 s +50\.0 MiB +2\.0 KiB +1\.0 MiB$/m);
  assert.match(one.out, /^\d{4}-\d\d-\d\d +3 /m);
  const all = await run(plane, ["analytics"]);
  assert.match(all.out, /^\d{4}-\d\d-\d\d \d\d:00 +7 +3\.0 s/m);
  const { fields, values } = JSON.parse((await run(plane, ["analytics", "--json"])).out);
  const column = fields.findIndex(({ name }: { name: string }) => name === "requestCount");
  assert.equal(values.reduce((sum: number, row: number[]) => sum + row[column]!, 0), 7);
  const wrong = await run(plane, ["analytics", "--since", "1h", "--until", "2h"]);
  assert.deepEqual([wrong.code, /it is later/.test(wrong.err)], [2, true]);
});
