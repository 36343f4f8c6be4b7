import assert from "node:assert/strict";
import { join } from "node:path";
import { type ControlPlane, run, startControlPlane, TOKEN } from "../control_plane_test.ts";
import { TempFolder } from "../snapshot/temp_folder_test.ts";

const APP = { "main.ts": "Deno.serve(() => new Response('hi'))", "below/a.txt": "" };

/** Runs a command line in a folder that alone says which server is meant. */
function runIn(plane: ControlPlane, cwd: string, args: string[]) {
  return run(plane, args, { cwd, env: { ISOLA_TOKEN: TOKEN } });
}

Deno.test("in a linked folder, and below it, no command needs --project or --url", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder(APP);
  await run(plane, ["projects", "create", "hello"]);
  const linked = await run(plane, ["link", "--project", "hello"], { cwd: folder.path });
  const path = join(folder.path, ".isola.json");
  assert.deepEqual([linked.code, linked.out], [
    0,
    `Linked "${folder.path}" to project "hello" on ${plane.url}: see ${path}\n`,
  ]);
  assert.deepEqual(JSON.parse(Deno.readTextFileSync(path)), { url: plane.url, project: "hello" });

  const deployed = await runIn(plane, folder.path, ["deploy", "--json"]);
  assert.equal(deployed.code, 0, deployed.err);
  const { project, deployment } = JSON.parse(deployed.out);
  assert.equal(project.name, "hello");
  assert.deepEqual(Object.keys(plane.store.deployments.snapshot(deployment.id)!.files).toSorted(), [
    "below/a.txt",
    "main.ts",
  ]);
  const below = join(folder.path, "below");
  const listed = await runIn(plane, below, ["deployments"]);
  assert.match(listed.out, new RegExp(`^ID .*\n${deployment.id} `));
  assert.equal((await runIn(plane, below, ["logs", "--deployment", deployment.id])).code, 0);
  assert.equal((await runIn(plane, below, ["logs"])).code, 0);
  const other = await runIn(plane, below, ["deployments", "--project", "other"]);
  assert.match(other.err, /Cannot find project "other"/);
});

Deno.test("where there are several organizations the link remembers which was meant", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder(APP);
  await run(plane, ["orgs", "create", "acme"]);
  await run(plane, ["projects", "create", "hello", "--org", "acme"]);
  const linked = await run(plane, ["link", folder.path, "-p", "hello", "--org", "acme"]);
  assert.equal(linked.code, 0, linked.err);
  const listed = await runIn(plane, folder.path, ["env", "--json"]);
  assert.deepEqual([listed.code, listed.out], [0, "[]\n"]);
  assert.match((await run(plane, ["env", "-p", "hello"])).err, /Which organization is meant\?/);
});

Deno.test("a folder below a linked one is not deployed as it, and DIR's own link counts", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder(APP);
  await run(plane, ["projects", "create", "hello"]);
  await run(plane, ["link", folder.path, "-p", "hello"]);
  const below = await runIn(plane, join(folder.path, "below"), ["deploy"]);
  assert.equal(below.code, 2);
  assert.match(below.err, /Cannot deploy without a project: .*isola link/);
  const elsewhere = await runIn(plane, "/", ["deploy", folder.path]);
  assert.equal(elsewhere.code, 0, elsewhere.err);
});

Deno.test("a link is shown and removed, and to what is not there none is made", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder(APP);
  const args = ["link", folder.path];
  assert.match((await run(plane, args)).err, /is not linked: isola link --project NAME/);
  assert.match((await run(plane, [...args, "-p", "nope"])).err, /Cannot find project "nope"/);
  await run(plane, ["projects", "create", "hello"]);
  await run(plane, [...args, "-p", "hello"]);
  assert.equal((await run(plane, args)).out, `"${folder.path}" is project "hello" on ${plane.url}\n`);
  assert.deepEqual(JSON.parse((await run(plane, [...args, "--json"])).out), {
    folder: folder.path,
    url: plane.url,
    project: "hello",
  });
  folder.write(".isola.json", "{}");
  const broken = await runIn(plane, folder.path, ["deployments"]);
  assert.match(
    broken.err,
    /Cannot read ".*\.isola\.json": url or project is missing\. Forget it: isola link --remove/,
  );
  assert.equal((await run(plane, [...args, "--remove"])).out, `"${folder.path}" is linked no more\n`);
  assert.equal((await run(plane, [...args, "--remove"])).out, `"${folder.path}" was not linked\n`);
});

Deno.test("no token goes to a server that only a link names, but to this machine or where one is logged in", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder({ ".isola.json": '{"url":"https://attacker.example","project":"hello"}' });
  const { code, err } = await runIn(plane, folder.path, ["deployments"]);
  assert.equal(code, 2);
  assert.match(
    err,
    /Cannot use server "https:\/\/attacker\.example" because a folder's link names it: log in to it/,
  );
  const named = await run(plane, ["projects"], { cwd: folder.path });
  assert.equal(named.code, 0, named.err);
});
