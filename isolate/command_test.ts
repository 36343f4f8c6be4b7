import assert from "node:assert/strict";
import { DENIED_NETWORKS, parentDeathLayer, sandboxCommand, type SandboxPlan } from "./command.ts";

const PLAN: SandboxPlan = {
  paths: {
    denoPath: "/usr/bin/deno",
    bootDir: "/tmp/s/boot",
    appDir: "/data/a/app",
    socketsDir: "/tmp/s/a",
    cacheDir: "/tmp/s/a/cache",
  },
  maxHeapMb: 64,
};

Deno.test("a sandbox's process is given its own paths and nothing that widens its permissions", () => {
  const { path, args, env } = sandboxCommand(PLAN);
  assert.equal(path, "/usr/bin/deno");
  assert.equal(args[0], "run");
  assert.equal(args.at(-1), "/tmp/s/boot/host.js");
  assert.ok(args.includes("--no-prompt") && args.includes("--no-config") && args.includes("--cached-only"));
  assert.ok(args.includes("--v8-flags=--max-heap-size=64,--compact-on-every-full-gc"));
  const sockets = ["control", "http", "node", "egress"].map((name) => `/tmp/s/a/${name}.sock`).join(",");
  assert.deepEqual(args.filter((arg) => arg.startsWith("--allow")), [
    `--allow-read=/data/a/app,/tmp/s/boot,${sockets}`,
    `--allow-write=${sockets}`,
    "--allow-net",
    "--allow-env",
    "--allow-sys",
    "--allow-ffi",
  ]);
  assert.ok(args.includes(`--deny-net=${DENIED_NETWORKS.join(",")}`));
  assert.deepEqual(Object.keys(env).sort(), [
    "CONTROL_SOCKET",
    "DENO_DIR",
    "DENO_EMIT_CACHE_MODE",
    "DENO_NO_UPDATE_CHECK",
    "DENO_USR2_MEMORY_TRIM",
    "GLIBC_TUNABLES",
    "MALLOC_ARENA_MAX",
    "NO_COLOR",
  ]);
});

Deno.test("where there is an egress proxy, the way to it is all that the network has", () => {
  const { args } = sandboxCommand({ ...PLAN, proxyPort: 1080 });
  assert.ok(!args.some((arg) => arg.startsWith("--deny-net")));
});

Deno.test("a tree is started with its own configuration", () => {
  const { args } = sandboxCommand({ ...PLAN, config: "deno.json" });
  assert.ok(args.includes("--config=/data/a/app/deno.json"));
  assert.ok(!args.includes("--no-config"));
});

Deno.test("a process for many programs gets at the directories that hold theirs", () => {
  const { args } = sandboxCommand({ ...PLAN, shared: true });
  const { appDir, bootDir, socketsDir } = PLAN.paths;
  assert.ok(args.includes(`--allow-read=${appDir},${bootDir},${socketsDir}`));
  assert.ok(args.includes(`--allow-write=${socketsDir}`));
  assert.equal(args.at(-1), `${bootDir}/shared_host.js`);
});

Deno.test("a layer wraps the command and leaves its environment alone", () => {
  const command = sandboxCommand(PLAN);
  const wrapped = parentDeathLayer("/usr/bin/setpriv")(command);
  assert.equal(wrapped.path, "/usr/bin/setpriv");
  assert.deepEqual(wrapped.args.slice(-command.args.length - 1), [command.path, ...command.args]);
  assert.equal(wrapped.env, command.env);
});
