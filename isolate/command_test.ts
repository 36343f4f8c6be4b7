import assert from "node:assert/strict";
import { DENIED_NETWORKS, parentDeathLayer, sandboxCommand, type SandboxPlan } from "./command.ts";

const PLAN: SandboxPlan = {
  denoPath: "/usr/bin/deno",
  hostPath: "/tmp/s/boot/host.js",
  controlSocket: "/tmp/s/a/control.sock",
  cacheDir: "/tmp/s/a/cache",
  paths: { appDir: "/data/a/app", httpSocket: "/tmp/s/a/http.sock", nodeSocket: "/tmp/s/a/node.sock" },
  net: true,
  maxHeapMb: 64,
};

Deno.test("a sandbox's process is given its own paths and nothing that widens its permissions", () => {
  const { path, args, env } = sandboxCommand(PLAN);
  assert.equal(path, "/usr/bin/deno");
  assert.equal(args[0], "run");
  assert.equal(args.at(-1), PLAN.hostPath);
  assert.ok(args.includes("--no-prompt") && args.includes("--no-config") && args.includes("--cached-only"));
  assert.ok(args.includes("--v8-flags=--max-heap-size=64"));
  const sockets = "/tmp/s/a/control.sock,/tmp/s/a/http.sock,/tmp/s/a/node.sock";
  assert.deepEqual(args.filter((arg) => arg.startsWith("--allow")), [
    `--allow-read=/data/a/app,/tmp/s/boot,${sockets}`,
    `--allow-write=${sockets}`,
    "--allow-net",
    "--allow-env",
    "--allow-sys",
  ]);
  assert.ok(args.includes(`--deny-net=${DENIED_NETWORKS.join(",")}`));
  assert.deepEqual(Object.keys(env).sort(), [
    "CONTROL_SOCKET",
    "DENO_DIR",
    "DENO_NO_UPDATE_CHECK",
    "NO_COLOR",
  ]);
});

Deno.test("a tree is started with its own configuration", () => {
  const { args } = sandboxCommand({ ...PLAN, configPath: "/data/a/app/deno.json" });
  assert.ok(args.includes("--config=/data/a/app/deno.json"));
  assert.ok(!args.includes("--no-config"));
});

Deno.test("a layer wraps the command and leaves its environment alone", () => {
  const command = sandboxCommand(PLAN);
  const wrapped = parentDeathLayer("/usr/bin/setpriv")(command);
  assert.equal(wrapped.path, "/usr/bin/setpriv");
  assert.deepEqual(wrapped.args.slice(-command.args.length - 1), [command.path, ...command.args]);
  assert.equal(wrapped.env, command.env);
});
