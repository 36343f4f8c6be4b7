import assert from "node:assert/strict";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { DEFAULT_LIMITS } from "../model.ts";
import { SecretBox } from "../secrets/secret_box.ts";
import type { SubhosterConfig } from "./model.ts";
import { OriginClient } from "./origin/origin_client.ts";
import { SubhostedDeployments } from "./subhosted_deployments.ts";
import { answer, silent, status } from "./testing/origin_faults.ts";
import { TEST_ENTRYPOINT, type TestDeployment, TestOrigin } from "./testing/test_origin.ts";

const CODE = "export default { fetch: () => new Response() };";

/** An origin, and what is opened on one data directory. */
class Trial implements AsyncDisposable {
  readonly origin: TestOrigin;
  nowMs = 0;
  readonly #dir: string;

  private constructor(origin: TestOrigin, dir: string) {
    this.origin = origin;
    this.#dir = dir;
  }

  static async start(deployments: Record<string, TestDeployment>): Promise<Trial> {
    const origin = await TestOrigin.start({ secret: "s".repeat(32), deployments });
    return new Trial(origin, await Deno.makeTempDir({ prefix: "isola-subhosted-" }));
  }

  /** As one server has them. */
  async open(subhoster: Partial<SubhosterConfig> = {}) {
    const subhosters = [{ ...this.origin.subhoster, ...subhoster }];
    const client = new OriginClient({ subhosters });
    const deployments = await SubhostedDeployments.open({
      dataDir: this.#dir,
      box: new SecretBox(new Uint8Array(32)),
      client,
      subhosters,
      region: "machine",
      limits: DEFAULT_LIMITS,
      failed: (_, reason) => assert.fail(reason),
      now: () => this.nowMs,
    });
    const prepare = (deploymentId: string) =>
      deployments.prepare(`acme/${deploymentId}`, { ...this.origin.origin, deploymentId });
    return {
      deployments,
      prepare,
      async [Symbol.asyncDispose]() {
        await deployments[Symbol.asyncDispose]();
        client[Symbol.dispose]();
      },
    };
  }

  /** How often the origin was asked that. */
  calls(rpc: string): number {
    return this.origin.calls.filter((call) => call.rpc === rpc).length;
  }

  /** Where the only kept deployment has its module. */
  source(): string {
    const content = join(this.#dir, "subhosting", "content");
    for (const first of Deno.readDirSync(content)) {
      if (!first.isDirectory || first.name === "tmp") continue;
      for (const { name } of Deno.readDirSync(join(content, first.name))) {
        return join(content, first.name, name, "modules", "0.mjs");
      }
    }
    throw new Error("nothing is kept");
  }

  async directory(): Promise<string> {
    return await Deno.makeTempDir({ dir: this.#dir });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.origin[Symbol.asyncDispose]();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

Deno.test("a deployment is fetched once, however many want it, and launched with what its origin says", async () => {
  const config = { envs: { A: "1" }, permissions: { net: ["api.test"] } };
  await using trial = await Trial.start({ "d/1": { code: CODE, config } });
  await using server = await trial.open({ limits: { memoryMb: 64 }, region: "here" });
  const answers = await Promise.all(Array.from({ length: 50 }, () => server.prepare("d/1")));
  assert.ok(answers.every((answer) => answer === null));
  assert.equal(trial.calls("boot"), 1);
  const launch = server.deployments.launch("acme/d/1");
  assert.equal(launch.image.entry, TEST_ENTRYPOINT);
  assert.deepEqual(launch.env, { A: "1", DENO_DEPLOYMENT_ID: "d/1", DENO_REGION: "here" });
  assert.deepEqual(launch.net, ["api.test"]);
  assert.deepEqual(launch.limits, { ...DEFAULT_LIMITS, memoryMb: 64 });
  const dir = await trial.directory();
  await launch.populate(dir);
  const index = JSON.parse(await Deno.readTextFile(join(dir, launch.modules!.index)));
  assert.deepEqual(index, { modules: { [TEST_ENTRYPOINT]: { file: "0.mjs", format: "module" } } });
  assert.equal(await Deno.readTextFile(join(dir, "modules", "0.mjs")), CODE);
  assert.deepEqual(trial.origin.refusals, []);
});

Deno.test("what the configuration does not say is the subhoster's, then the machine's", async () => {
  await using trial = await Trial.start({
    silent: { code: CODE },
    open: { code: CODE, config: { permissions: { net: true } } },
  });
  await using server = await trial.open({ net: ["default.test"] });
  assert.deepEqual(await Promise.all(["silent", "open"].map(server.prepare)), [null, null]);
  const silent = server.deployments.launch("acme/silent");
  assert.deepEqual([silent.net, silent.env.DENO_REGION], [["default.test"], "machine"]);
  assert.equal(server.deployments.launch("acme/open").net, null);
});

Deno.test("what one subhoster asks for has nothing of another's forgotten", async () => {
  await using trial = await Trial.start({ "d-1": { code: CODE } });
  await using server = await trial.open();
  assert.equal(await server.prepare("d-1"), null);
  assert.equal((await server.prepare("none"))?.code, "DEPLOYMENT_NOT_FOUND");
  const calls = trial.calls("boot");
  for (let at = 0; at < 10_001; at++) {
    const deploymentId = String(at);
    const origin = { subhosterId: "other", rpcRoot: "http://127.0.0.1:1/" };
    assert.ok(await server.deployments.prepare(`other/${deploymentId}`, { ...origin, deploymentId }));
  }
  assert.deepEqual(server.deployments.originOf("acme/d-1"), trial.origin.origin);
  assert.equal((await server.prepare("none"))?.code, "DEPLOYMENT_NOT_FOUND");
  assert.equal(trial.calls("boot"), calls);
});

Deno.test("what the origin does not have, or has not in order, is not asked for again for a while", async () => {
  await using trial = await Trial.start({});
  await using server = await trial.open();
  const refusals = await Promise.all([server.prepare("none"), server.prepare("none")]);
  assert.deepEqual(refusals.map((refusal) => refusal?.code), [
    "DEPLOYMENT_NOT_FOUND",
    "DEPLOYMENT_NOT_FOUND",
  ]);
  // Told once, for one event.
  assert.match(refusals[0]?.reason ?? "", /GET boot of deployment "none"/);
  assert.equal(refusals[1]?.reason, undefined);
  trial.origin.deployments.set("none", { code: new Uint8Array([0xff]) });
  trial.nowMs += 4_999;
  assert.deepEqual(await server.prepare("none"), { code: "DEPLOYMENT_NOT_FOUND" });
  assert.equal(trial.calls("boot"), 1);
  trial.nowMs += 1;
  const invalid = await server.prepare("none");
  assert.equal(invalid?.code, "ORIGIN_UNAVAILABLE");
  assert.match(invalid?.reason ?? "", /is not UTF-8/);
  assert.deepEqual(await server.prepare("none"), { code: "ORIGIN_UNAVAILABLE" });
  assert.equal(trial.calls("boot"), 2);
  trial.origin.deployments.set("none", { code: CODE });
  trial.nowMs += 5_000;
  assert.equal(await server.prepare("none"), null);
  assert.throws(() => server.deployments.launch("acme/other"), /nothing is kept of it/);
  assert.throws(() => server.deployments.launch("other/none"), /there is no subhoster "other"/);
});

Deno.test("what was fetched is served when the origin is dead, also by the next server, as it was then", async () => {
  await using trial = await Trial.start({
    d: { code: CODE, config: { envs: { A: "1" } }, files: { "/a": "A" } },
  });
  {
    await using server = await trial.open();
    assert.equal(await server.prepare("d"), null);
    const dir = await trial.directory();
    const launch = server.deployments.launch("acme/d");
    await launch.populate(dir);
    await launch.files!.provide(dir, "/a", true);
  }
  trial.origin.deployments.set("d", { code: "changed", files: { "/a": "changed" } });
  await trial.origin.stop();
  await using server = await trial.open();
  assert.equal(await server.prepare("d"), null);
  const launch = server.deployments.launch("acme/d");
  assert.equal(launch.env.A, "1");
  const dir = await trial.directory();
  await launch.populate(dir);
  assert.equal(await Deno.readTextFile(join(dir, "modules", "0.mjs")), CODE);
  await launch.files!.provide(dir, "/a", true);
  assert.equal(await Deno.readTextFile(join(dir, "files", "a")), "A");
  const dead = await server.prepare("unknown");
  assert.equal(dead?.code, "ORIGIN_UNAVAILABLE");
  assert.ok(dead?.reason);
});

Deno.test("an origin that answers nonsense is told so, and nothing of it is kept", async () => {
  await using trial = await Trial.start({ d: { code: CODE } });
  await using server = await trial.open();
  trial.origin.fault = () => answer("ESZIP2.3 and no more");
  const refusal = await server.prepare("d");
  assert.equal(refusal?.code, "ORIGIN_UNAVAILABLE");
  assert.match(refusal?.reason ?? "", /^Cannot use the eszip/);
  trial.origin.fault = () => status(403);
  trial.nowMs += 5_000;
  assert.equal((await server.prepare("d"))?.code, "ORIGIN_UNAVAILABLE");
  assert.deepEqual(server.deployments.stats("acme"), { entries: 0, bytes: 0, booting: 0 });
});

Deno.test("the newest request says which origin is asked", async () => {
  await using trial = await Trial.start({ d: { code: CODE } });
  const rpcRoot = trial.origin.rpcRoot;
  await using server = await trial.open();
  const elsewhere = { subhosterId: "acme", deploymentId: "d", rpcRoot: `${rpcRoot}not/there/` };
  assert.equal((await server.deployments.prepare("acme/d", elsewhere))?.code, "DEPLOYMENT_NOT_FOUND");
  assert.deepEqual(server.deployments.originOf("acme/d"), {
    subhosterId: "acme",
    rpcRoot: elsewhere.rpcRoot,
  });
  assert.equal(await server.prepare("d"), null);
  assert.deepEqual(server.deployments.originOf("acme/d"), trial.origin.origin);
});

Deno.test("a program whose files are gone is fetched again, after one start that fails", async () => {
  await using trial = await Trial.start({ d: { code: CODE } });
  await using server = await trial.open();
  assert.equal(await server.prepare("d"), null);
  await Deno.remove(trial.source());
  const populate = async () => await server.deployments.launch("acme/d").populate(await trial.directory());
  await assert.rejects(populate(), Deno.errors.NotFound);
  assert.equal(await server.prepare("d"), null);
  await populate();
  assert.equal(trial.calls("boot"), 2);
});

Deno.test("closing ends what is being fetched", async () => {
  await using trial = await Trial.start({ d: { code: CODE } });
  const asked = Promise.withResolvers<void>();
  trial.origin.fault = () => {
    asked.resolve();
    return silent;
  };
  const server = await trial.open();
  const prepared = server.prepare("d");
  await asked.promise;
  await server[Symbol.asyncDispose]();
  assert.deepEqual(await prepared, { code: "ORIGIN_UNAVAILABLE" });
  assert.deepEqual(await server.prepare("d"), { code: "ORIGIN_UNAVAILABLE" });
});

Deno.test("thousands of deployments leave little in memory", async () => {
  await using trial = await Trial.start({});
  const subhosted = { subhosterId: "acme", deploymentId: "d", rpcRoot: trial.origin.rpcRoot };
  const body = new TextEncoder().encode(CODE);
  const env = { LONG: "x".repeat(8_000) };
  const layer = { kind: "bundle" as const, specifier: TEST_ENTRYPOINT };
  const config = { entrypoint: TEST_ENTRYPOINT, env, layer, net: undefined };
  await using opened = await SubhostedDeployments.open({
    dataDir: await trial.directory(),
    box: new SecretBox(new Uint8Array(32)),
    client: {
      boot: () => Promise.resolve({ config: { ...config, env: structuredClone(env) }, body }),
      readTree: () => Promise.reject(new Error("unexpected")),
      readBlob: () => Promise.reject(new Error("unexpected")),
    },
    subhosters: [],
    region: "machine",
    limits: DEFAULT_LIMITS,
    failed: (_, reason) => assert.fail(reason),
  });
  const fetchAll = async (from: number, to: number) => {
    for (let at = from; at < to; at += 50) {
      const keys = Array.from({ length: 50 }, (_, offset) => `acme/${at + offset}`);
      const answers = await Promise.all(keys.map((key) => opened.prepare(key, subhosted)));
      assert.ok(answers.every((answer) => answer === null));
    }
  };
  await fetchAll(0, 1_200);
  const before = heapBytes();
  await fetchAll(1_200, 2_500);
  assert.equal(opened.stats("acme").entries, 2_500);
  const grownBytes = heapBytes() - before;
  assert.ok(grownBytes < 4 * 1024 ** 2, `${grownBytes} bytes more`); // All of it would be 10 MB.
});

/** In use. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return Deno.memoryUsage().heapUsed;
}
