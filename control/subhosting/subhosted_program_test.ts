import assert from "node:assert/strict";
import { join } from "node:path";
import { openSandboxHome, type SandboxHome, startSandbox } from "../../isolate/mod.ts";
import { DEFAULT_LIMITS } from "../model.ts";
import { SecretBox } from "../secrets/secret_box.ts";
import { programOf } from "../supervisor/launch.ts";
import { makeEszip } from "./content/testing/make_eszip.ts";
import { OriginClient } from "./origin/origin_client.ts";
import { SubhostedDeployments } from "./subhosted_deployments.ts";
import { TestOrigin } from "./testing/test_origin.ts";

/** Starts a deployment as the supervisor does, and returns what it answers. */
async function answerOf(home: SandboxHome, deployments: SubhostedDeployments, key: string): Promise<string> {
  const memoryMb = DEFAULT_LIMITS.memoryMb;
  await using sandbox = await startSandbox({
    home,
    id: key.slice(-1),
    net: true,
    maxHeapMb: memoryMb,
    onLog() {},
  });
  const path = await sandbox.assign(programOf(deployments.launch(key), () => {}));
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  return await (await fetch("http://app.test/", { client })).text();
}

Deno.test("what an origin sends runs: a bundle, an eszip, and files that are read when they are wanted", async (t) => {
  const eszip = await makeEszip({
    root: "file:///src/main.ts",
    sources: {
      "file:///src/main.ts": {
        type: "application/typescript",
        content: `import { x } from "lib/x.ts"; import data from "./data.json" with { type: "json" };
          Deno.serve((): Response => new Response([x, data.a, import.meta.url].join()));`,
      },
      "https://modules.test/x.ts": {
        type: "application/typescript",
        content: "export const x: string = import.meta.url;",
      },
      "file:///src/data.json": { type: "application/json", content: `{"a": 1}` },
      "file:///map.json": {
        type: "application/json",
        content: `{"imports": {"lib/": "https://modules.test/"}}`,
      },
    },
    importMap: "file:///map.json",
  });
  const bundle = `const padding = "${"x".repeat(40_000)}";
    const answer = async () => new Response([
      import.meta.url,
      Deno.env.get("A"),
      Deno.env.get("DENO_DEPLOYMENT_ID"),
      await Deno.readTextFile("./notes/a.txt"),
      padding.length,
    ].join());
    export default { fetch: answer };`;
  await using origin = await TestOrigin.start({
    secret: "s".repeat(32),
    deployments: {
      b: { code: bundle, config: { envs: { A: "1" } }, files: { "/notes/a.txt": "content", "/b.txt": "" } },
      e: { code: eszip, config: { entrypoint: "file:///src/main.ts" } },
    },
  });
  const dataDir = await Deno.makeTempDir({ prefix: "isola-subhosted-" });
  {
    const subhosters = [origin.subhoster];
    using client = new OriginClient({ subhosters });
    await using home = await openSandboxHome({ dataDir, denoPath: Deno.execPath(), moduleIndexes: true });
    await using deployments = await SubhostedDeployments.open({
      dataDir,
      box: new SecretBox(new Uint8Array(32)),
      client,
      subhosters,
      region: "machine",
      limits: DEFAULT_LIMITS,
      failed: (_, reason) => assert.fail(reason),
    });
    const prepare = (deploymentId: string) =>
      deployments.prepare(`acme/${deploymentId}`, { ...origin.origin, deploymentId });
    await t.step("a bundle, with its name, variables and files", async () => {
      assert.equal(await prepare("b"), null);
      const expected = "file:///src/main.js,1,b,content,40000";
      assert.equal(await answerOf(home, deployments, "acme/b"), expected);
      await origin.stop(); // From now on, all is there.
      assert.equal(await answerOf(home, deployments, "acme/b"), expected);
      origin.restart();
    });
    await t.step("an eszip, with its import map", async () => {
      assert.equal(await prepare("e"), null);
      assert.equal(
        await answerOf(home, deployments, "acme/e"),
        "https://modules.test/x.ts,1,file:///src/main.ts",
      );
    });
    assert.deepEqual(origin.refusals, []);
    await t.step("nothing is left of the isolates", () => {
      const programs = [...Deno.readDirSync(join(home.programsDir))].map(({ name }) => name);
      assert.deepEqual(programs.filter((name) => name === "b" || name === "e"), []);
    });
  }
  await Deno.remove(dataDir, { recursive: true });
});
