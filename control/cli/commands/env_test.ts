import assert from "node:assert/strict";
import { type ControlPlane, deployTo, Keyboard, run, startControlPlane } from "../control_plane_test.ts";
import { TempFolder } from "../snapshot/temp_folder_test.ts";

function env(plane: ControlPlane, args: string[], deps: Parameters<typeof run>[2] = {}) {
  return run(plane, ["env", ...args, "-p", "shop"], deps);
}

/** The variables of the production of project "shop". */
function production({ store }: ControlPlane): Record<string, string> {
  const id = store.projects.getByName("shop")!.productionDeploymentId!;
  return store.deployments.get(id)!.projectEnv;
}

Deno.test("variables are set, listed and removed, and the production has them when the command ends", async () => {
  await using plane = await startControlPlane();
  const first = await deployTo(plane, "shop");
  assert.match(
    (await env(plane, [])).err,
    /^Project "shop" has no variables yet: isola env set NAME=VALUE\n$/,
  );
  const set = await env(plane, ["set", "A=1=2", "B=2", "--json"]);
  assert.equal(set.code, 0, set.err);
  const { deployment } = JSON.parse(set.out);
  assert.deepEqual([deployment.status, deployment.production, deployment.redeployOf], [
    "success",
    true,
    first,
  ]);
  assert.deepEqual(production(plane), { A: "1=2", B: "2" });

  await env(plane, ["set", "A=other", "--context", "preview", "--no-wait"]);
  await env(plane, ["set", "KEY=hidden", "--secret"]);
  const { out } = await env(plane, ["list"]);
  assert.deepEqual(
    out.split("\n").map((line) => line.split(/ {2,}/).slice(0, 3)),
    [
      ["NAME", "VALUE", "CONTEXT"],
      ["A", "1=2", "production"],
      ["A", "other", "preview"],
      ["B", "2", "all"],
      ["KEY", "(secret)", "all"],
      [""],
    ],
  );

  const removed = await env(plane, ["unset", "A", "B"]);
  assert.match(removed.err, /^Removed A, B\nStarting deployment \w+ with these variables\n/);
  assert.deepEqual(production(plane), { KEY: "hidden" });
  assert.equal(
    (await env(plane, ["unset", "A"])).err,
    'error: Cannot unset "A": project "shop" has no such variable\n',
  );
});

Deno.test("a value that is not on the command line is asked for, without showing it, or read from a pipe", async () => {
  await using plane = await startControlPlane();
  await deployTo(plane, "shop");
  const stdin = new Keyboard(["hunte\x7f\x7fter2"], true);
  const typed = await env(plane, ["set", "TYPED", "--secret"], { stdin });
  assert.match(typed.err, /^Value of TYPED: \nSet TYPED\n/);
  assert.equal(stdin.raw, false);
  assert.equal((await env(plane, ["set", "PIPED"], { stdin: new Keyboard(["two", "lines"]) })).code, 0);
  assert.deepEqual(production(plane), { TYPED: "hunter2", PIPED: "two\nlines" });
  const nothing = await env(plane, ["set", "PIPED"], { stdin: new Keyboard([]) });
  assert.deepEqual([nothing.code, /no value was given\. PIPED= sets an empty one/.test(nothing.err)], [
    2,
    true,
  ]);
  const both = await env(plane, ["set", "A", "B"], { stdin: new Keyboard(["x"]) });
  assert.deepEqual([both.code, both.err], [
    2,
    "error: Cannot read the values of A, B from one pipe: one at a time\n",
  ]);
});

Deno.test("what a deployment was given itself goes over its project's, and whoever sets that is told", async () => {
  await using plane = await startControlPlane();
  await deployTo(plane, "shop", "--env", "A=own");
  const { err } = await env(plane, ["set", "A=1", "B=2"]);
  assert.match(err, /^Set A, B\nThe production was deployed with its own A, which it keeps\n/);
});

Deno.test("variables that a program does not start with leave the production as it is, and the command fails", async () => {
  await using plane = await startControlPlane();
  const first = await deployTo(plane, "shop");
  plane.nextBuild = { status: "failed", log: [{ level: "error", message: "no A please" }] };
  const { code, out, err } = await env(plane, ["set", "A=1"]);
  assert.deepEqual([code, out], [1, ""]);
  assert.match(err, /no A please\nerror: Deployment "\w+" does not start with these variables/);
  assert.equal(plane.store.projects.getByName("shop")!.productionDeploymentId, first);
});

Deno.test("what is pulled into a file and pushed again changes nothing, and keeps what is secret", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder();
  await deployTo(plane, "shop");
  const values = [
    "plain",
    "",
    "with space",
    "it's",
    'say "no"',
    "two\nlines",
    "#x",
    "a\\nb",
    "$HOME",
    "grüße 🦕",
  ];
  const assignments = values.map((value, index) => `V${index}=${value}`);
  await env(plane, ["set", ...assignments, "ALL=a'b\"c`d'e\"f`g", "--no-redeploy"]);
  await env(plane, ["set", "KEY=hidden", "--secret"]);
  const at = { cwd: folder.path };
  const pulled = await env(plane, ["pull"], at);
  assert.deepEqual([pulled.out, pulled.err], [
    'Wrote 10 variables of "shop" to .env\n',
    "Left out, as they are secret: KEY\nLeft out, as no such file can have their values: ALL\n",
  ]);
  assert.equal(Deno.statSync(`${folder.path}/.env`).mode! & 0o777, 0o600);
  const again = await env(plane, ["pull"], at);
  assert.match(again.err, /^error: Cannot write "[^"]+\/\.env": there is such a file; --yes replaces it\n$/);
  Deno.chmodSync(`${folder.path}/.env`, 0o644);
  assert.equal((await env(plane, ["pull", "--yes"], at)).out, pulled.out);
  assert.equal(Deno.statSync(`${folder.path}/.env`).mode! & 0o777, 0o600);
  const before = production(plane);

  const pushed = await env(plane, ["push"], at);
  assert.match(pushed.err, /^- ALL\n {2}KEY \(secret, kept\)\nProject "shop" has the variables of \.env\n/);
  const { ALL: _, ...rest } = before;
  assert.deepEqual(production(plane), rest);
  const unchanged = await env(plane, ["push"], at);
  assert.match(unchanged.err, /\(secret, kept\)\nAll variables are as the file says\n/);
  assert.equal((await env(plane, ["pull", "-"])).out.split("\n")[0], "# KEY is secret");
});

Deno.test("push shows the difference, asks whoever is at the terminal, and does nothing without a yes", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder();
  await deployTo(plane, "shop");
  await env(plane, ["set", "A=1", "B=2"]);
  folder.write("vars", "A=1\nB=3\nC='4'\n");
  const push = (answer: string) =>
    env(plane, ["push", "vars"], { cwd: folder.path, stdin: new Keyboard([answer], true) });
  const no = await push("");
  assert.deepEqual([no.code, no.err], [
    130,
    '+ C\n~ B\nChange these variables of "shop"? [y/N] Nothing was changed\n',
  ]);
  assert.deepEqual(production(plane), { A: "1", B: "2" });
  assert.equal((await push("y")).code, 0);
  assert.deepEqual(production(plane), { A: "1", B: "3", C: "4" });

  await env(plane, ["set", "A=5", "--context", "preview"]);
  const ambiguous = await push("y");
  assert.equal(
    ambiguous.err,
    'error: Variable "A" is not the same in production and previews: say with --context which of them is meant\n',
  );
});

Deno.test("what env cannot do is refused with what is allowed", async () => {
  await using plane = await startControlPlane();
  await deployTo(plane, "shop");
  const cases: [string[], number, string][] = [
    [["show"], 2, 'Unknown action "show" of env: known are list, set, unset, pull, push'],
    [["set"], 2, "Cannot set nothing: give NAME=VALUE or NAME"],
    [["set", "A=1", "--context", "local"], 2, 'Cannot use --context "local": must be production or preview'],
    [["set", "A=1", "--secret", "--plain"], 2, "Cannot set a variable with both --secret and --plain"],
    [
      ["set", "DENO_REGION=x"],
      1,
      'Cannot change the variables of "shop": Invalid request: "DENO_REGION": its name',
    ],
    [["push", "/nowhere/.env"], 2, 'Cannot read "/nowhere/.env": No such file'],
  ];
  for (const [args, code, message] of cases) {
    const ended = await env(plane, args);
    assert.equal(ended.code, code, args.join(" "));
    assert(ended.err.startsWith(`error: ${message}`), ended.err);
  }
});

Deno.test("rollback shows what it changes, and asks whoever is at the terminal", async () => {
  await using plane = await startControlPlane();
  const first = await deployTo(plane, "shop");
  await env(plane, ["set", "A=s3cret"]);
  const second = plane.store.projects.getByName("shop")!.productionDeploymentId!;
  const rollback = (...lines: string[]) =>
    run(plane, ["rollback", "-p", "shop"], { stdin: new Keyboard(lines, true) });
  const no = await rollback("n");
  assert.equal(no.code, 130);
  assert.match(
    no.err,
    new RegExp(
      `^now   ${second}  0s old\\nthen  ${first}  0s old\\nfiles  the same\\nvariables  -A\\nMake "${first}"`,
    ),
  );
  assert.equal(plane.store.projects.getByName("shop")!.productionDeploymentId, second);
  const yes = await rollback("yes");
  assert.equal(yes.out, `Deployment "${first}" is production again, instead of "${second}"\n`);

  const third = await deployTo(plane, "shop");
  const { out, err } = await run(plane, ["promote", third, "--json"]);
  assert.match(err, /\nfiles {2}0 added, 1 changed, 0 removed\n {2}~ main\.ts\nvariables {2}\+A\n$/);
  assert.deepEqual(JSON.parse(out).changes.files.changed, ["main.ts"]);
});

Deno.test("a preview is promoted with its own variables, or as a new deployment with those of production", async () => {
  await using plane = await startControlPlane();
  await deployTo(plane, "shop");
  await env(plane, ["set", "A=trial", "--context", "preview"]);
  await env(plane, ["set", "A=live", "--context", "production"]);
  const preview = await deployTo(plane, "shop");
  assert.match((await run(plane, ["promote", preview])).err, / {2}variables of previews\n/);
  assert.deepEqual(production(plane), { A: "trial" });
  const { out } = await run(plane, ["promote", preview, "--redeploy"]);
  assert.match(out, /^Deployment "\w+" is now production\n$/);
  assert.deepEqual(production(plane), { A: "live" });
});
