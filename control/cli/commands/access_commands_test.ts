import assert from "node:assert/strict";
import { Recorder, run, startControlPlane, testDeps, TOKEN } from "../control_plane_test.ts";
import { runCli } from "../run_cli.ts";
import { TempFolder } from "../snapshot/temp_folder_test.ts";

Deno.test("organizations are made, chosen, renamed and deleted", async () => {
  await using plane = await startControlPlane();
  assert.equal((await run(plane, ["orgs", "create", "acme"])).out, 'Created organization "acme"\n');
  const taken = await run(plane, ["orgs", "create", "Acme"]);
  assert.deepEqual([taken.code, /an organization of that name exists/.test(taken.err)], [1, true]);
  assert.match((await run(plane, ["orgs"])).out, /^NAME +ID +AGE\nacme +\S+ +0s\ndefault +\S+ +0s\n$/);

  const unclear = await run(plane, ["projects"]);
  assert.deepEqual([unclear.code, unclear.err], [
    2,
    "error: Which organization is meant? Give --org NAME or ISOLA_ORG, one of: acme, default\n",
  ]);
  assert.equal((await run(plane, ["projects", "create", "hello", "--org", "ACME"])).code, 0);
  const env = { ISOLA_URL: plane.url, ISOLA_TOKEN: TOKEN, ISOLA_ORG: "acme" };
  assert.match((await run(plane, ["projects"], { env })).out, /\nhello /);
  assert.match((await run(plane, ["projects", "--org", "default"], { env })).err, /^No projects yet/);
  assert.match(
    (await run(plane, ["projects", "--org", "nobody"])).err,
    /Cannot use organization "nobody": this access token reaches acme, default/,
  );

  const full = await run(plane, ["orgs", "delete", "acme"]);
  assert.match(full.err, /its projects \(1\) and domains \(0\) are to be deleted first/);
  assert.equal(
    (await run(plane, ["orgs", "rename", "acme", "umbrella"])).out,
    'Renamed organization "acme" to "umbrella"\n',
  );
  await run(plane, ["projects", "delete", "hello", "--org", "umbrella"]);
  assert.equal((await run(plane, ["orgs", "delete", "umbrella"])).out, 'Deleted organization "umbrella"\n');
  assert.equal((await run(plane, ["orgs", "rename", "umbrella", "x"])).code, 1);
});

Deno.test("tokens are made, used within their bound, listed and revoked; all of it can be looked up", async () => {
  await using plane = await startControlPlane();
  await run(plane, ["projects", "create", "hello"]);
  await run(plane, ["projects", "create", "other"]);
  const args = ["tokens", "create", "ci", "--role", "deploy", "-p", "hello", "--expires", "90d"];
  const { out, err } = await run(plane, args);
  const token = out.trimEnd();
  assert.match(token, /^isola_[\w-]{43}$/);
  assert.match(err, /shown this once/);
  const env = { ISOLA_URL: plane.url, ISOLA_TOKEN: token };
  assert.match((await run(plane, ["projects"], { env })).out, /^NAME.*\nhello [^\n]*\n$/);
  const status = await run(plane, ["status"], { env });
  assert.deepEqual([status.code, /with the role "admin" alone/.test(status.err)], [0, true]);
  const refused = await run(plane, ["projects", "delete", "hello"], { env });
  assert.deepEqual([refused.code, /has the role "deploy", this needs "write"/.test(refused.err)], [4, true]);

  const listed = (await run(plane, ["tokens"])).out;
  assert.match(listed, /^NAME +ROLE +REACHES +EXPIRES +LAST USED +AGE +ID\n/);
  assert.match(listed, /\nadmin +admin +the machine +never +0s /);
  assert.match(listed, /\nci +deploy +project hello +in (?:89|90)d +0s /);
  assert.equal((await run(plane, ["tokens", "revoke", "ci"])).out, 'Revoked access token "ci"\n');
  const gone = await run(plane, ["projects"], { env });
  assert.deepEqual([gone.code, /The access token "ci" was revoked at /.test(gone.err)], [4, true]);
  assert.match((await run(plane, ["tokens", "revoke", "ci"])).err, /there is none of that name/);
  assert.match(
    (await run(plane, ["tokens", "revoke", "admin"])).err,
    /make another with the role admin first/,
  );
  assert.equal((await run(plane, ["tokens", "create", "x", "--role", "king"])).code, 2);
  assert.equal((await run(plane, ["tokens", "create", "x", "--expires", "soon"])).code, 2);

  const audit = (await run(plane, ["audit", "--by", "admin"])).out;
  assert.match(audit, /^TIME \(UTC\) +ACTION +TARGET +BY +FROM\n/);
  const actions = audit.trimEnd().split("\n").slice(1).map((line) => line.split(/ {2,}/)[1]);
  assert.deepEqual(actions, ["create project", "create project", "create token", "revoke token"]);
  assert.equal(JSON.parse((await run(plane, ["audit", "--limit", "1", "--json"])).out).length, 1);
  assert.equal((await run(plane, ["audit", "--limit", "0"])).code, 2);
});

Deno.test("a command line is let in with a browser, and gets a token of its own", async () => {
  await using plane = await startControlPlane();
  using home = new TempFolder();
  const env = { HOME: home.path, ISOLA_URL: plane.url };
  const deps = { ...testDeps({ env }), stderr: new Recorder(true) };
  const running = runCli(["login"], deps);
  await deps.stderr.until(/Open (\S+)/);
  const [, address] = /Open (\S+code=[A-Z-]+)/.exec(deps.stderr.text)!;
  const code = new URL(address!).searchParams.get("code")!;
  const page = await (await fetch(address!)).text();
  assert.match(page, new RegExp(`isola on .*<b>${code}</b>`, "s"));
  const body = new URLSearchParams({ code, token: TOKEN, role: "write", organization: "default", days: "1" });
  const answer = await fetch(new URL("/login", plane.url), { method: "POST", body });
  assert.equal(answer.status, 200, await answer.text());
  assert.equal(await running, 0, deps.stderr.text);
  assert.match(deps.stdout.text, new RegExp(`as "isola on .* ${code}" \\(write\\)`));
  assert.equal((await run(plane, ["projects", "create", "hello"], { env })).code, 0);
  assert.equal((await run(plane, ["orgs", "create", "acme"], { env })).code, 4);
});
