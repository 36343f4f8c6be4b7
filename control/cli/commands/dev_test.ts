import assert from "node:assert/strict";
import type { Config } from "../../config/config.ts";
import { type ControlPlane, startControlPlane, testDeps } from "../control_plane_test.ts";
import { type CliDeps, runCli } from "../run_cli.ts";
import { TempFolder } from "../snapshot/temp_folder_test.ts";

/** `dev` starts a server that is the control plane of the test, which accepts the token that `dev` gave it. */
function startDev(plane: ControlPlane, deps: Partial<CliDeps>, ...args: string[]) {
  const stop = new AbortController();
  const started: Config[] = [];
  const all = testDeps({
    signal: stop.signal,
    startServer(config) {
      started.push(config);
      plane.acceptToken(config.adminToken!);
      return Promise.resolve({
        controlUrl: plane.url,
        http: { hostname: "127.0.0.1", port: 8000 },
        https: null,
        superseded: new AbortController().signal,
        generatedToken: undefined,
        sandbox: { level: "process", detail: "Deno permissions", missing: [] },
        close: () => Promise.resolve(),
      });
    },
    ...deps,
  });
  const ended = runCli(["dev", ...args], all);
  /** Resolves once the address is printed. */
  const live = (url: RegExp) =>
    Promise.race([all.stdout.until(url), ended.then(() => assert.fail(`ended: ${all.stderr.text}`))]);
  return { ...all, stop, started, ended, live };
}

Deno.test("dev starts a server of its own on loopback, its state apart from the folder, and deploys to it", async () => {
  await using plane = await startControlPlane();
  using home = new TempFolder();
  using folder = new TempFolder({ "app/main.ts": "" });
  const dev = startDev(plane, { cwd: folder.path, env: { HOME: home.path } }, "./app", "--env", "A=1");
  await dev.live(/^http:\/\/app\.localhost:8000\n/);
  dev.stop.abort();
  assert.equal(await dev.ended, 0);
  const [config] = dev.started;
  assert.deepEqual(config!.httpAddr, { hostname: "127.0.0.1", port: 8000 });
  assert.match(config!.dataDir, new RegExp(`^${home.path}/\\.local/state/isola/dev/app-[0-9a-f]{12}$`));
  assert.deepEqual(plane.lastVariables(), { A: "1" });
  assert.deepEqual([...Deno.readDirSync(`${folder.path}/app`)].map(({ name }) => name), ["main.ts"]);
});

Deno.test("dev without a folder serves the example, on what is configured", async () => {
  await using plane = await startControlPlane();
  using example = new TempFolder({ "hono/main.ts": "" });
  const env = { ISOLA_DATA_DIR: "/data", ISOLA_HTTP_ADDR: "127.0.0.1:9000", ISOLA_ADMIN_TOKEN: "mine" };
  const dev = startDev(plane, { exampleDir: `${example.path}/hono`, env }, "--control-addr", "127.0.0.1:0");
  await dev.live(/^http:\/\/hono\.localhost:8000\n/);
  dev.stop.abort();
  assert.equal(await dev.ended, 0);
  const { dataDir, httpAddr, controlAddr, adminToken } = dev.started[0]!;
  assert.deepEqual([dataDir, httpAddr.port, controlAddr.port, adminToken], ["/data", 9000, 0, "mine"]);
});

Deno.test("dev of a folder that is not there starts nothing", async () => {
  await using plane = await startControlPlane();
  using home = new TempFolder();
  const dev = startDev(plane, { cwd: home.path, env: { HOME: home.path } }, "missing");
  assert.equal(await dev.ended, 1);
  assert.equal(dev.stderr.text, `error: Cannot deploy "${home.path}/missing": there is no such folder\n`);
  assert.deepEqual(dev.started, []);
});

Deno.test("dev --subhosting refuses what its deployments cannot have, and an address that is none", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder({ "hostnames.json": "{}" });
  const cases: [args: string[], error: RegExp][] = [
    [["--env", "A=1"], /^error: Cannot use --entrypoint, --env or --env-file with --subhosting: /],
    [["--relay-addr", "here"], /^error: Cannot use --relay-addr "here": must be /],
  ];
  for (const [args, error] of cases) {
    const dev = startDev(plane, { cwd: folder.path }, "--subhosting", ".", ...args);
    assert.equal(await dev.ended, 2);
    assert.match(dev.stderr.text, error);
    assert.deepEqual(dev.started, []);
  }
});
