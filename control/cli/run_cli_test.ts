import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { run, startControlPlane, testDeps } from "./control_plane_test.ts";
import { runCli } from "./run_cli.ts";

Deno.test("a wrong command line is refused with 2, the wrong word, and the probable one", async () => {
  const cases: [string[], string][] = [
    [["depoly"], 'Unknown command "depoly": did you mean "deploy"?'],
    [["frobnicate"], 'Unknown command "frobnicate": see isola --help'],
    [["deploy", "--projekt", "x"], 'Unknown option "--projekt": did you mean "--project"?'],
    [["status", "-z"], 'Unknown option "-z": known are --url, --token, --org, --json, --help'],
    [["deploy", "--project"], 'Option "--project" needs a value: NAME'],
    [["deploy", "--project", "--production"], 'Option "--project" needs a value: NAME'],
    [["status", "--json=yes"], 'Option "--json" takes no value'],
    [["deploy"], "Cannot deploy without a project: name it with --project"],
    [["deploy", "a", "b", "-p", "x"], 'Cannot deploy "b" as well: one folder at a time'],
    [["projects", "rename"], 'Unknown action "rename" of projects: known are list, create, update, delete'],
    [["orgs", "constructor"], 'Unknown action "constructor" of orgs: known are list, create, rename, delete'],
    [["projects", "create"], "Cannot create a project without its name"],
    [["deployments", "show"], "Cannot show a deployment without its id"],
    [["deployments"], "No project is named: give one with --project"],
    [["promote"], "Cannot promote a deployment without its id: see isola deployments"],
    [["logs"], "Cannot show a log: name its --project or --deployment"],
    [
      ["logs", "-p", "x", "--level", "loud"],
      'Cannot use --level "loud": must be error, warning, info, debug',
    ],
    [
      ["logs", "-p", "x", "--since", "soon"],
      'Cannot use --since "soon": must be like 10m, 2h, 1d, or an ISO 8601 time',
    ],
    [["status", "--url", "ftp://x"], 'Cannot use server address "ftp://x": must be an http or https URL'],
    [["deploy", "-p", "x", "--env", "A"], 'Cannot use --env "A": must be NAME=VALUE'],
    [
      ["login"],
      "Cannot log in without a token: give --token or ISOLA_TOKEN, or log in with a browser from a terminal",
    ],
    [["serve", "--runners", "many"], 'Cannot use --runners "many": must be a whole number from 1 to 64'],
    [["serve", "--admin-token", "x"], 'Unknown option "--admin-token"'],
  ];
  for (const [args, message] of cases) {
    const deps = testDeps();
    assert.equal(await runCli(args, deps), 2, args.join(" "));
    assert.equal(deps.stdout.text, "");
    assert(deps.stderr.text.startsWith(`error: ${message}`), `${args.join(" ")}: ${deps.stderr.text}`);
  }
});

Deno.test("a server that is not there is reported with 3", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const deps = testDeps();
  assert.equal(await runCli(["status", "--url", `http://127.0.0.1:${port}`, "--json"], deps), 3);
  assert.match(
    deps.stderr.text,
    new RegExp(`^error: Cannot reach server "http://127.0.0.1:${port}" to read health: `),
  );
  assert.equal(JSON.parse(deps.stdout.text).error.code, "unreachable");
});

Deno.test("a token that is missing or wrong is reported with 4, and where to give it", async () => {
  await using plane = await startControlPlane();
  for (const token of [undefined, "wrong"]) {
    const env: Record<string, string> = token ? { ISOLA_TOKEN: token } : {};
    const { code, err } = await run(plane, ["projects", "--url", plane.url], { env });
    assert.equal(code, 4);
    assert.match(
      err,
      /^error: Cannot list organizations: .*Give an access token with --token, ISOLA_TOKEN or "isola login"/,
    );
  }
});

Deno.test("options are understood before and after the command", async () => {
  await using plane = await startControlPlane();
  for (
    const args of [["--url", plane.url, "--json", "projects"], ["projects", "--json", "--url", plane.url]]
  ) {
    const { code, out } = await run(plane, args, { env: { ISOLA_ADMIN_TOKEN: "test-token" } });
    assert.deepEqual([code, JSON.parse(out)], [0, []]);
  }
});

Deno.test("an interrupted command ends with 130", async () => {
  await using plane = await startControlPlane();
  const { code, err } = await run(plane, ["projects"], { signal: AbortSignal.abort() });
  assert.deepEqual([code, err], [130, "Interrupted\n"]);
});

Deno.test("output into a pipe that nobody reads any more ends the command without a word", async () => {
  await using plane = await startControlPlane();
  const deps = testDeps({ env: { ISOLA_URL: plane.url, ISOLA_TOKEN: "test-token" } });
  const closed = {
    writeSync: () => {
      throw new Deno.errors.BrokenPipe("EPIPE");
    },
    isTerminal: () => false,
  };
  assert.equal(await runCli(["projects", "--json"], { ...deps, stdout: closed }), 1);
  assert.equal(deps.stderr.text, "");
});

/** The fields of `deno info --json` that are read here; `code` is absent where only types are imported. */
interface ModuleInfo {
  roots: string[];
  modules: {
    specifier: string;
    dependencies?: { isDynamic?: boolean; code?: { specifier?: string } }[];
  }[];
}

Deno.test("a command loads what it needs, not the libraries of the server", async () => {
  const args = ["info", "--json", fileURLToPath(import.meta.resolve("./run_cli.ts"))];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
  const { roots, modules } = JSON.parse(new TextDecoder().decode(stdout)) as ModuleInfo;
  const loaded = new Set(roots);
  for (const specifier of loaded) {
    const { dependencies = [] } = modules.find((module) => module.specifier === specifier) ?? {};
    for (const { code, isDynamic } of dependencies) {
      if (code?.specifier !== undefined && !isDynamic) loaded.add(code.specifier);
    }
  }
  assert.ok([...loaded].some((specifier) => specifier.endsWith("/cli/client.ts")));
  assert.deepEqual([...loaded].filter((specifier) => specifier.startsWith("npm:")), []);
});
