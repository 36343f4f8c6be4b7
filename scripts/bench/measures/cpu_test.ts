import assert from "node:assert/strict";
import { cpuMs } from "./cpu.ts";

Deno.test("CPU time counts a descendant's work and nobody else's", async () => {
  const script = "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo done; read line' ; true";
  const parent = new Deno.Command("sh", { args: ["-c", script], stdin: "piped", stdout: "piped" }).spawn();
  await using idle = new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn();
  const before = cpuMs([idle.pid]);
  const reader = parent.stdout.getReader();
  await reader.read();
  assert.ok(cpuMs([parent.pid]) > 0, `counted only ${cpuMs([parent.pid])}ms`);
  assert.ok(cpuMs([idle.pid]) - before <= 20);
  await parent.stdin.close();
  await reader.cancel();
  await parent.status;
  await idle.stdin.close();
});
