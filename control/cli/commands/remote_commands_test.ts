import assert from "node:assert/strict";
import {
  type ControlPlane,
  Keyboard,
  type Recorder,
  run,
  startControlPlane,
  testDeps,
  TOKEN,
} from "../control_plane_test.ts";
import { runCli } from "../run_cli.ts";
import { TempFolder } from "../snapshot/temp_folder_test.ts";

/** Deploys something new to project "hello"; returns its id. */
async function deploy(plane: ControlPlane, folder: TempFolder, ...args: string[]): Promise<string> {
  folder.write("main.ts", crypto.randomUUID());
  const { out, err } = await run(plane, ["deploy", folder.path, "-p", "hello", "--json", ...args]);
  return JSON.parse(out).deployment?.id ?? /deployment "(\w+)"/.exec(err)![1];
}

Deno.test("projects are created, listed, updated and deleted", async () => {
  await using plane = await startControlPlane();
  assert.match((await run(plane, ["projects"])).err, /^No projects yet/);
  assert.equal((await run(plane, ["projects", "create", "hello"])).out, 'Created project "hello"\n');
  assert.equal((await run(plane, ["projects", "create", "hello-two", "--untrusted"])).code, 0);
  const again = await run(plane, ["projects", "create", "hello"]);
  assert.deepEqual([again.code, /a project of that name exists/.test(again.err)], [1, true]);
  const { out } = await run(plane, ["projects", "list"]);
  assert.match(
    out,
    /^NAME +TRUST +AGE +UPDATED +ID\n(hello +trusted +0s +0s +[0-9a-f-]{36}\n|hello-two +untrusted +0s +0s +[0-9a-f-]{36}\n){2}$/,
  );
  const updated = await run(plane, ["projects", "update", "hello", "--untrusted", "--json"]);
  assert.equal(JSON.parse(updated.out).untrusted, true);
  assert.equal(
    (await run(plane, ["projects", "update", "hello", "--trusted"])).out,
    'Updated project "hello"\n',
  );
  const logged = await run(plane, ["projects", "update", "hello", "--access-log", "on", "--json"]);
  assert.deepEqual(
    [JSON.parse(logged.out).accessLog, JSON.parse(logged.out).untrusted],
    [true, false],
  );
  assert.equal((await run(plane, ["projects", "update", "hello"])).code, 2);
  assert.equal((await run(plane, ["projects", "update", "hello", "--access-log", "yes"])).code, 2);
  const no = await run(plane, ["projects", "delete", "hello"], { stdin: new Keyboard(["n"], true) });
  assert.deepEqual([no.code, /Delete project "hello", .*\? \[y\/N\] Nothing was changed/.test(no.err)], [
    130,
    true,
  ]);
  assert.equal((await run(plane, ["projects", "delete", "hello"])).out, 'Deleted project "hello"\n');
  const names = JSON.parse((await run(plane, ["projects", "--json"])).out).map(({ name }: { name: string }) =>
    name
  );
  assert.deepEqual(names, ["hello-two"]);
  const missing = await run(plane, ["projects", "delete", "hello"]);
  assert.deepEqual([missing.code, missing.err], [
    1,
    'error: Cannot delete project "hello": there is none of that name\n',
  ]);
});

Deno.test("deployments are listed newest first, shown and deleted", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder();
  const first = await deploy(plane, folder);
  plane.nextBuild = { status: "failed", log: [] };
  const second = await deploy(plane, folder);
  const { out } = await run(plane, ["deployments", "-p", "hello"]);
  const [header, ...rows] = out.trimEnd().split("\n");
  assert.match(header!, /^ID +STATUS +KIND +AGE +COMMIT +HOSTS$/);
  assert.match(rows[0]!, new RegExp(`^${second} +failed +preview +0s +-$`));
  assert.match(
    rows[1]!,
    new RegExp(`^${first} +success +production +0s +- +hello-${first}.localhost hello.localhost$`),
  );

  const shown = await run(plane, ["deployments", "show", first]);
  assert.match(
    shown.out,
    new RegExp(`^id       ${first}\nproject  hello\nstatus   success\nkind     production\n`),
  );
  assert.match(shown.out, /\nurl {6}http:\/\/hello.localhost:8000\n/);
  assert.equal((await run(plane, ["deployments", "delete", second])).out, `Deleted deployment "${second}"\n`);
  const gone = await run(plane, ["deployments", "show", second, "--json"]);
  assert.deepEqual([gone.code, JSON.parse(gone.out).error.code], [1, "failed"]);
});

Deno.test("more deployments than fit a page are all listed", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder();
  const { id: projectId } = JSON.parse((await run(plane, ["projects", "create", "hello", "--json"])).out);
  const first = await deploy(plane, folder);
  const { id: _, assets } = { id: first, assets: { "main.ts": { kind: "file", content: "x" } } };
  for (let index = 0; index < 101; index++) {
    const response = await fetch(`${plane.url}/v1/projects/${projectId}/deployments`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({ entryPointUrl: "main.ts", assets, envVars: {} }),
    });
    await response.body?.cancel();
    assert.equal(response.status, 200);
  }
  const all = JSON.parse((await run(plane, ["deployments", "-p", "hello", "--json"])).out);
  assert.equal(all.length, 102);
  assert.equal(all.at(-1).id, first);
});

Deno.test("promote and rollback choose what is production", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder();
  const first = await deploy(plane, folder);
  plane.nextBuild = { status: "failed", log: [] };
  await deploy(plane, folder);
  plane.nextBuild = { status: "success", log: [] };
  await deploy(plane, folder);
  const third = await deploy(plane, folder);

  assert.equal((await run(plane, ["promote", third])).out, `Deployment "${third}" is now production\n`);
  const back = await run(plane, ["rollback", "-p", "hello"]);
  assert.equal(back.out, `Deployment "${first}" is production again, instead of "${third}"\n`);
  const none = await run(plane, ["rollback", "-p", "hello"]);
  assert.deepEqual([none.code, none.err], [
    1,
    'error: Cannot roll back "hello": no older deployment was its production. Another: isola promote ID\n',
  ]);
  const promoted = JSON.parse((await run(plane, ["promote", third, "--json"])).out);
  assert.deepEqual([promoted.id, promoted.production], [third, true]);
});

Deno.test("a log is shown oldest line first, by level and by time", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder();
  const id = await deploy(plane, folder);
  const now = Date.now();
  const line = (agoMs: number, level: "info" | "error", message: string) => ({
    time: new Date(now - agoMs).toISOString(),
    level,
    message,
    region: "local",
  });
  plane.writeLog(
    id,
    line(7_200_000, "info", "old"),
    line(2000, "error", "bad\nstack"),
    line(1000, "info", "new\u0007"),
  );
  const all = await run(plane, ["logs", "--project", "hello"]);
  assert.match(
    all.out,
    /^[\d:.]{12} info {4}old\n[\d:.]{12} error {3}bad\n {21}stack\n[\d:.]{12} info {4}new\n$/,
  );
  const recent = await run(plane, ["logs", "--deployment", id, "--since", "1h", "--json"]);
  assert.deepEqual(recent.out.trimEnd().split("\n").map((text) => JSON.parse(text).message), [
    "bad\nstack",
    "new\u0007",
  ]);
  assert.match(
    (await run(plane, ["logs", "-d", id, "--level", "error"])).out,
    /^[\d:.]{12} error {3}bad\n {21}stack\n$/,
  );
  assert.equal((await run(plane, ["logs", "-d", id, "--build"])).out, "Bundled\n");
});

Deno.test("logs -f goes on with new lines, each once, until interrupted", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder();
  const id = await deploy(plane, folder);
  const line = (message: string) => ({
    time: new Date().toISOString(),
    level: "info" as const,
    message,
    region: "local",
  });
  plane.writeLog(id, line("before"));
  const stop = new AbortController();
  const deps = testDeps({ env: { ISOLA_URL: plane.url, ISOLA_TOKEN: TOKEN }, signal: stop.signal });
  const running = runCli(["logs", "-f", "-p", "hello"], deps);
  const stdout: Recorder = deps.stdout;
  await stdout.until(/before\n/);
  plane.writeLog(id, line("after"));
  await stdout.until(/after\n/);
  stop.abort();
  assert.equal(await running, 0);
  assert.match(stdout.text, /^[\d:.]{12} info {4}before\n[\d:.]{12} info {4}after\n$/);
});

Deno.test("login remembers a server for this user alone, and its token goes nowhere else", async () => {
  await using plane = await startControlPlane();
  await using other = await startControlPlane();
  using home = new TempFolder();
  const env = { HOME: home.path };
  const login = await run(plane, ["login", "--url", plane.url, "--token", TOKEN], { env });
  assert.equal(login.code, 0, login.err);
  const path = `${home.path}/.config/isola/credentials.json`;
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  assert.equal((await run(plane, ["projects"], { env })).code, 0);
  assert.equal((await run(plane, ["projects", "--url", other.url], { env })).code, 4);
  const wrong = await run(plane, ["login", "--url", plane.url, "--token", "wrong"], { env });
  assert.equal(wrong.code, 4);
  assert.equal(JSON.parse(Deno.readTextFileSync(path)).token, TOKEN);
});
