import assert from "node:assert/strict";
import { withPeakRssBytes } from "./memory_peak.ts";

const MIB = 1024 ** 2;
/** Takes 64 MiB and gives them back, for each byte that it reads. */
const SCRIPT = `
  const byte = new Uint8Array(1);
  while (await Deno.stdin.read(byte)) {
    const memory = new ArrayBuffer(64 * 1024 ** 2);
    new Uint8Array(memory).fill(1);
    memory.transfer(0);
    await Deno.stdout.write(byte);
  }`;

Deno.test("the peak of memory is that of the time watched, not of the time before", async () => {
  const args = ["eval", "--no-config", SCRIPT];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" }).spawn();
  const [writer, reader] = [child.stdin.getWriter(), child.stdout.getReader()];
  const work = async () => {
    await writer.write(new Uint8Array(1));
    await reader.read();
  };
  await work();
  const [, restBytes] = await withPeakRssBytes(child.pid, () => Promise.resolve());
  const [, workBytes] = await withPeakRssBytes(child.pid, work);
  await writer.close();
  await reader.cancel();
  await child.status;
  assert.ok(workBytes > restBytes + 48 * MIB, `${workBytes} bytes at work, ${restBytes} at rest`);
});
