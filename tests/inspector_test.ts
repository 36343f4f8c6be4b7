import assert from "node:assert/strict";
import { LoggedProcess } from "./logged_process.ts";
import { serverForTests, until } from "./server.ts";

const suite = serverForTests();
/** The bit of SIGUSR1 in the masks of proc_pid_status(5). */
const SIGUSR1_BIT = 1n << 9n;

function has(pid: number, mask: "SigIgn" | "SigCgt"): boolean {
  const [, hex] = new RegExp(`${mask}:\\s*([0-9a-f]+)`).exec(Deno.readTextFileSync(`/proc/${pid}/status`))!;
  return (BigInt(`0x${hex}`) & SIGUSR1_BIT) !== 0n;
}

Deno.test("SIGUSR1 opens the inspector of Deno, which is why it is ignored here", async () => {
  const code = "setInterval(() => {}, 1000)";
  await using plain = new LoggedProcess([Deno.execPath(), "eval", code], { env: {} });
  await until("Deno listens for the signal", () => has(plain.pid, "SigCgt"));
  Deno.kill(plain.pid, "SIGUSR1");
  await until(
    "Deno opens its inspector",
    () => /debugger|inspector/i.test(plain.output),
    undefined,
    () => plain.output,
  );
});

Deno.test("SIGUSR1 opens no inspector of a server, nor ends it or an isolate", async () => {
  const { server } = suite;
  await server.deploy("hello", { "main.ts": `Deno.serve(() => new Response("hello"));` });
  assert.equal(await server.text("hello", "/"), "hello");
  const [isolate] = await server.isolates();
  // Past the time after which Deno installs its own handler.
  await until("an isolate of the same Deno listens for it", () => has(isolate!.pid, "SigCgt"));
  assert(has(server.pid, "SigIgn") && !has(server.pid, "SigCgt"));
  for (const pid of [server.pid, isolate!.pid]) Deno.kill(pid, "SIGUSR1");
  assert.equal(await server.text("hello", "/"), "hello");
  assert.doesNotMatch(server.output, /debugger|inspector/i);
});
