import assert from "node:assert/strict";
import { join } from "node:path";
import { serverForTests, type TestDeployment } from "./server.ts";

const suite = serverForTests();

const APP = `
if (Deno.env.has("BROKEN")) throw new Error("BROKEN is set");
export default { fetch: () => new Response(Deno.env.get("KEY") ?? "none") };`;
const FIRST = "MARKER-first-value";
const SECOND = "MARKER-second-value";

async function change(body: unknown): Promise<TestDeployment> {
  const { server } = suite;
  const path = `/v1/projects/${await server.project("vars")}/env_vars`;
  const { deployment } = await server.api<{ deployment: TestDeployment }>("PATCH", path, body);
  return await server.built(deployment.id);
}

/** All files below a directory. */
async function* filesBelow(dir: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(dir)) {
    const path = join(dir, entry.name);
    if (entry.isDirectory) yield* filesBelow(path);
    else if (entry.isFile) yield path;
  }
}

/** The command lines of all processes, and the environments of those that may be read. */
async function* processes(): AsyncGenerator<string> {
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    for (const file of ["cmdline", "environ"]) {
      yield await Deno.readTextFile(`/proc/${name}/${file}`).catch(() => ""); // It is gone, or not ours.
    }
  }
}

Deno.test("a project's variables reach its deployments, a change makes a new one, and no old one ever changes", async () => {
  const { server } = suite;
  const plain = await server.deploy("vars", APP);
  assert.equal(await server.text("vars"), "none");
  const first = await change({ KEY: { value: FIRST, secret: true } });
  assert.deepEqual([first.status, first.production, first.redeployOf], ["success", true, plain.id]);
  const second = await change({ KEY: SECOND });
  assert.equal(await server.text("vars"), SECOND);
  assert.equal(await server.text(`vars-${first.id}`), FIRST);
  assert.equal(await server.text(`vars-${plain.id}`), "none");

  const broken = await change({ BROKEN: { value: FIRST, secret: true } });
  assert.deepEqual([broken.status, broken.production], ["failed", false]);
  assert.match(JSON.stringify(await server.buildLog(broken.id)), /BROKEN is set/);
  assert.equal(await server.text("vars"), SECOND);
  assert.equal((await server.api("GET", `/v1/deployments/${second.id}`)).production, true);
});

Deno.test("a secret is in no file, no answer, no log and no process list", async () => {
  const { server } = suite;
  assert.equal(await server.text("vars"), SECOND); // Its isolate is there.
  const project = `/v1/projects/${await server.project("vars")}`;
  const deployments = await server.api<TestDeployment[]>("GET", `${project}/deployments`);
  const told = [
    server.output,
    JSON.stringify(await server.api("GET", `${project}/env_vars`)),
    JSON.stringify(deployments),
    await (await server.call("PATCH", `${project}/env_vars`, { KEY: FIRST, "WRONG NAME": SECOND })).text(),
  ];
  for (const { id } of deployments) {
    told.push(JSON.stringify(await server.buildLog(id)), JSON.stringify(await server.appLogs(id)));
    told.push(JSON.stringify(await server.api("GET", `/v1/deployments/${id}/diff?to=${deployments[0]!.id}`)));
  }
  for await (const text of processes()) told.push(text);
  for await (const path of filesBelow(server.dataDir)) {
    told.push(new TextDecoder("latin1").decode(await Deno.readFile(path).catch(() => new Uint8Array())));
  }
  assert.deepEqual(told.filter((text) => text.includes("MARKER-")), []);
  // It has looked there.
  for (const found of ["SQLite format 3", "BROKEN is set", "ISOLA_ADMIN_TOKEN="]) {
    assert(told.some((text) => text.includes(found)), found);
  }
});
