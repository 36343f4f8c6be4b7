import assert from "node:assert/strict";
import { type ControlPlane, run, startControlPlane } from "../control_plane_test.ts";

const SERVER = [
  "status     ok",
  "version    1.2.3",
  "region     local",
  "sandbox    full: bubblewrap, seccomp",
];

/** Adds a live isolate. */
function addIsolate(plane: ControlPlane, deploymentId: string, cpuMs: number): void {
  plane.isolates.push({
    deploymentId,
    state: "ready",
    pid: 42,
    startedAt: new Date(Date.now() - 185_000).toISOString(),
    lastRequestAt: null,
    requests: 7,
    inFlight: 1,
    cpuMs,
    memoryBytes: 50 * 1024 ** 2,
  });
}

Deno.test("status shows the server, and the isolates that used most first", async () => {
  await using plane = await startControlPlane();
  addIsolate(plane, "abcdefghijkl", 1234);
  addIsolate(plane, "mnopqrstuvwx", 2345);
  const { code, out } = await run(plane, ["status"]);
  assert.equal(code, 0);
  const [server, isolates = ""] = out.split("\n\n");
  assert.equal(server, [...SERVER, "isolates   2 (100.0 MiB)"].join("\n"));
  const [, ...rows] = isolates.trimEnd().split("\n");
  assert.match(rows[0]!, /^mnopqrstuvwx {2}ready +42 {2}3m +- +7 +1 {2}2\.3 s {2}50\.0 MiB$/);
  assert.match(rows[1]!, /^abcdefghijkl {2}ready +42 {2}3m +- +7 +1 {2}1\.2 s {2}50\.0 MiB$/);
  assert.equal(rows.length, 2);
});

Deno.test("status shows a subhoster's isolates by the names of both, cut off where they are long", async () => {
  await using plane = await startControlPlane();
  addIsolate(plane, "acme/hello-1", 2);
  addIsolate(plane, `acme/${"x".repeat(256)}`, 1);
  const { out } = await run(plane, ["status"]);
  assert.match(out, /^acme\/hello-1 +ready +42 +3m /m);
  assert.match(out, /^acme\/x{42}… {2}ready +42 +3m /m);
});

Deno.test("status shows each layer that the machine lacks on a line of its own", async () => {
  await using plane = await startControlPlane();
  plane.health.sandbox.missing.push("No control groups: delegate them", "No bubblewrap: install it");
  const { out } = await run(plane, ["status"]);
  const missing = [
    "           missing: No control groups: delegate them",
    "           missing: No bubblewrap: install it",
  ];
  assert.equal(out.split("\n\n")[0], [...SERVER, ...missing, "isolates   0 (0 B)"].join("\n"));
  const json = JSON.parse((await run(plane, ["status", "--json"])).out);
  assert.deepEqual(json, { server: plane.health, isolates: [] });
});

Deno.test("status fails while the server is not ready, and says so in one JSON text to programs", async () => {
  await using plane = await startControlPlane();
  plane.health.status = "starting";
  const { code, out } = await run(plane, ["status"]);
  assert.deepEqual([code, /^status {5}starting\n/.test(out)], [1, true]);
  const json = await run(plane, ["status", "--json"]);
  const message = 'The server is not ready: "starting"';
  assert.deepEqual([json.code, JSON.parse(json.out)], [1, { error: { code: "failed", message } }]);
});
