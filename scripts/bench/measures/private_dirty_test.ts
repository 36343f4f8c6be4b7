import assert from "node:assert/strict";
import { privateDirtyBytes } from "./private_dirty.ts";

const MIB = 1024 ** 2;
/** Keeps 64 MiB, and says so. */
const SCRIPT = `
  const memory = new Uint8Array(64 * 1024 ** 2).fill(1);
  await Deno.stdout.write(memory.subarray(0, 1));
  await Deno.stdin.read(memory);`;

Deno.test("private memory is that of all descendants, without the root's own", async () => {
  const before = privateDirtyBytes(Deno.pid);
  const deno = `'${Deno.execPath()}' eval --no-config '${SCRIPT}'; true`;
  const child = new Deno.Command("sh", { args: ["-c", deno], stdin: "piped", stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  const grown = privateDirtyBytes(Deno.pid) - before;
  const ownOfRoot = privateDirtyBytes(child.pid);
  await child.stdin.close();
  await reader.cancel();
  await child.status;
  assert.ok(grown > 64 * MIB, `${grown} bytes`);
  assert.ok(ownOfRoot > 64 * MIB && ownOfRoot <= grown, `${ownOfRoot} bytes`);
});
