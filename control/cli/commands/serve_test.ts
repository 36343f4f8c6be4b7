import assert from "node:assert/strict";
import type { Config } from "../../config/config.ts";
import { testDeps } from "../control_plane_test.ts";
import { runCli, type RunningServer } from "../run_cli.ts";
import { TempFolder } from "../snapshot/temp_folder_test.ts";

function startable(server: Partial<RunningServer> = {}) {
  const started: Config[] = [];
  const takeovers: boolean[] = [];
  const stop = new AbortController();
  let closed = 0;
  const deps = testDeps({
    signal: stop.signal,
    startServer(config, { takeOver }) {
      started.push(config);
      takeovers.push(takeOver);
      return Promise.resolve({
        controlUrl: "http://127.0.0.1:8001",
        http: { hostname: "0.0.0.0", port: 8000 },
        https: null,
        generatedToken: undefined,
        superseded: new AbortController().signal,
        sandbox: { level: "process", detail: "Deno permissions", missing: [] },
        close: () => Promise.resolve(void closed++),
        ...server,
      });
    },
  });
  return { deps, started, takeovers, stop, closed: () => closed };
}

Deno.test("serve says what listens where and how to deploy, and closes the server when told to stop", async () => {
  using folder = new TempFolder({ "isola.yaml": "region: eu" });
  const { deps, started, stop, closed } = startable({ generatedToken: "isola_secret" });
  const running = runCli(["serve", "--runners", "2"], {
    ...deps,
    cwd: folder.path,
    env: { ISOLA_WARM_POOL: "0" },
  });
  await deps.stderr.until(/Deploy a folder: .*\n/);
  assert.equal(closed(), 0);
  const [config] = started;
  assert.deepEqual([config!.region, config!.runners, config!.warmPool], ["eu", 2, 0]);
  assert.equal(config!.dataDir, `${folder.path}/.isola`);
  assert.match(deps.stderr.text, /apps {5}http:\/\/\*\.localhost:8000 \(on 0\.0\.0\.0\)\n/);
  assert.match(deps.stderr.text, /token {4}isola_secret {2}\(shown once: keep it\)\n/);
  stop.abort();
  assert.deepEqual([await running, closed()], [0, 1]);
});

Deno.test("serve says whose relays it listens to, and which of their secrets can be guessed", async () => {
  const subhosting = ["acme", "other"].map((id) => ({
    id,
    secret: id.padEnd(id === "acme" ? 32 : 31, "."),
    rpcRoots: ["https://origin.example/"],
  }));
  using folder = new TempFolder({ "isola.yaml": JSON.stringify({ subhosting }) });
  const { deps, stop } = startable();
  stop.abort();
  assert.equal(await runCli(["serve"], { ...deps, cwd: folder.path }), 0);
  assert.match(
    deps.stderr.text,
    /^ {2}relays {3}of acme, other\n {11}secret of subhoster "other" has fewer/m,
  );
  assert.doesNotMatch(deps.stderr.text, /acme\.\.|other\.\./);
});

Deno.test("a token that was not generated is not shown", async () => {
  const { deps, stop } = startable();
  stop.abort();
  assert.equal(await runCli(["serve"], deps), 0);
  assert.doesNotMatch(deps.stderr.text, /^ *token /m);
});

Deno.test("a server that another one takes over from ends like one that is told to stop", async () => {
  const taken = new AbortController();
  const { deps, takeovers, closed } = startable({ superseded: taken.signal });
  const running = runCli(["serve", "--take-over"], deps);
  await deps.stderr.until(/Deploy a folder: .*\n/);
  assert.deepEqual([takeovers, closed()], [[true], 0]);
  taken.abort();
  assert.deepEqual([await running, closed()], [0, 1]);
  assert.match(deps.stderr.text, /Another server has taken over: finishing what is in flight\n$/);
});

Deno.test("a configuration that cannot be used is refused with 2 and every problem, and nothing is started", async () => {
  const { deps, started } = startable();
  assert.equal(
    await runCli(["serve", "--runners", "x"], { ...deps, env: { ISOLA_NOPE: "1", ISOLA_REGION: "EU" } }),
    2,
  );
  assert.match(deps.stderr.text, /--runners "x"/);
  assert.match(deps.stderr.text, /ISOLA_NOPE/);
  assert.match(deps.stderr.text, /ISOLA_REGION "EU"/);
  assert.deepEqual(started, []);
});

Deno.test("a server that does not start ends the command with 1 and the reason", async () => {
  const deps = testDeps({
    startServer: () => Promise.reject(new Deno.errors.AddrInUse("Address already in use")),
  });
  assert.equal(await runCli(["serve"], deps), 1);
  assert.equal(deps.stderr.text, "error: Cannot start the server: Address already in use\n");
});
