import assert from "node:assert/strict";
import {
  type ControlPlane,
  Recorder,
  run,
  startControlPlane,
  testDeps,
  TOKEN,
} from "../control_plane_test.ts";
import { runCli } from "../run_cli.ts";
import { TempFolder } from "../snapshot/temp_folder_test.ts";

const APP = {
  "main.ts": "Deno.serve(() => new Response('hi'))",
  "static/a.txt": "a",
  "static/same.txt": "a",
};

function uploads(plane: ControlPlane): number {
  return plane.requests.filter((request) => request.startsWith("PUT ")).length;
}

Deno.test("a first deployment creates the project, uploads every content once, and prints its addresses", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder({ ...APP, ".env": "SECRET=1", "link.txt": { link: "static/a.txt" } });
  const { code, out, err } = await run(plane, ["deploy", folder.path, "--project", "hello"]);
  assert.equal(code, 0, err);
  assert.match(out, /^http:\/\/hello\.localhost:8000\nhttp:\/\/hello-[a-z0-9]{12}\.localhost:8000\n$/);
  assert.equal(uploads(plane), 2);
  for (
    const said of [
      `Deploying ${folder.path} to project "hello" on ${plane.url}\n`,
      "Entry point main.ts (its name)\n",
      "Left out .env: variables are given with --env or --env-file\n",
      "0 of 2 files already on the server; uploading 2 (37 B):\n  main.ts          36 B\n",
      "  Bundled\n",
    ]
  ) assert(err.includes(said), `${said} in ${err}`);
  assert.match(err, /Deployed [a-z0-9]{12} in \d/);
});

Deno.test("a second deployment uploads only what the server does not have", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder(APP);
  await run(plane, ["deploy", "--project", "hello"], { cwd: folder.path });
  folder.write("static/b.txt", "b");
  plane.requests.length = 0;
  const { code, out, err } = await run(plane, ["deploy", ".", "-p", "hello", "--json"], { cwd: folder.path });
  assert.equal(code, 0, err);
  assert.equal(uploads(plane), 1);
  assert(err.includes("2 of 3 files already on the server; uploading 1 (1 B):\n  static/b.txt  1 B\n"), err);
  const { project, deployment, urls } = JSON.parse(out);
  assert.deepEqual([project.name, deployment.status, deployment.production], ["hello", "success", false]);
  assert.deepEqual(urls, [`http://hello-${deployment.id}.localhost:8000`]);
});

Deno.test("--production makes the deployment the one that the project's own address leads to", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder(APP);
  await run(plane, ["deploy", folder.path, "-p", "hello"]);
  folder.write("main.ts", "second");
  const { out } = await run(plane, ["deploy", folder.path, "-p", "hello", "--production"]);
  assert.match(out, /^http:\/\/hello\.localhost:8000\n/);
});

Deno.test("--preview keeps even a first deployment from being the production", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder(APP);
  const args = ["deploy", folder.path, "-p", "hello", "--preview"];
  const { code, out } = await run(plane, args);
  assert.equal(code, 0);
  assert.match(out, /^http:\/\/hello-[a-z0-9]{12}\.localhost:8000\n$/);
  const both = await run(plane, [...args, "--production"]);
  assert.deepEqual([both.code, both.err], [
    2,
    "error: Cannot use both --production and --preview: give one\n",
  ]);
});

Deno.test("on a terminal the upload is shown in files and bytes, and the build with its time", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder({ ...APP, "static/large.bin": "x".repeat(200_000) });
  const deps = testDeps({ env: { ISOLA_URL: plane.url, ISOLA_TOKEN: TOKEN } });
  const stderr = new Recorder(true);
  assert.equal(await runCli(["deploy", folder.path, "-p", "hello"], { ...deps, stderr }), 0);
  for (const shown of ["Reading files 0 ms", "100%  3 of 3 files, 195.3 KiB of 195.3 KiB", "Building 0 ms"]) {
    assert.ok(stderr.text.includes(shown), `${shown} in ${stderr.text}`);
  }
});

Deno.test("a build that fails ends with 1 and shows where", async () => {
  await using plane = await startControlPlane();
  const message = 'main.ts:3:7: Expected ";"\u001b]0;title\u0007';
  plane.nextBuild = { status: "failed", log: [{ level: "error", message }] };
  using folder = new TempFolder(APP);
  const { code, out, err } = await run(plane, ["deploy", folder.path, "-p", "hello", "--json"]);
  assert.equal(code, 1);
  assert.match(JSON.parse(out).error.message, /^Build of deployment "[a-z0-9]{12}" failed/);
  assert(err.includes('  main.ts:3:7: Expected ";"]0;title\n'), err);
});

Deno.test("variables come from files and from --env, which wins", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder({ ...APP, "vars": 'A=1\nB="two words"\nC=3' });
  const args = [
    "deploy",
    folder.path,
    "-p",
    "hello",
    "--env-file",
    `${folder.path}/vars`,
    "--env",
    "A=x=y",
    "--env",
    "D=",
  ];
  assert.equal((await run(plane, args)).code, 0);
  assert.deepEqual(plane.lastVariables(), { A: "x=y", B: "two words", C: "3", D: "" });
  const { code, err } = await run(plane, ["deploy", folder.path, "-p", "hello", "--env-file", "missing"]);
  assert.equal(code, 2);
  assert.match(err, /Cannot read --env-file "missing": /);
});

Deno.test("--no-wait returns as soon as the deployment is created", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder(APP);
  const { code, out } = await run(plane, ["deploy", folder.path, "-p", "hello", "--no-wait", "--json"]);
  assert.equal(code, 0);
  assert.equal(JSON.parse(out).deployment.status, "pending");
  assert(!plane.requests.some((request) => request.endsWith("/build_logs")));
});

Deno.test("what the server refuses is said in its words", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder(APP);
  const name = await run(plane, ["deploy", folder.path, "-p", "NO"]);
  assert.equal(name.code, 1);
  assert.match(name.err, /error: Cannot create project "NO": .*must be 3 to 26/);
  const variable = await run(plane, ["deploy", folder.path, "-p", "hello", "--env", "DENO_X=1"]);
  assert.equal(variable.code, 1);
  assert.match(variable.err, /error: Cannot create deployment: .*DENO_X/);
});

Deno.test("a folder that cannot be deployed is refused before anything is created", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder({ "lib.ts": "" });
  const { code, err } = await run(plane, ["deploy", folder.path, "-p", "hello"]);
  assert.equal(code, 1);
  assert.match(err, /error: Cannot find an entry point/);
  assert.deepEqual(plane.requests, []);
});
