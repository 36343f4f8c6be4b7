import assert from "node:assert/strict";
import { CommandProvider } from "./command_provider.ts";

const signal = new AbortController().signal;
const ENV = { PATH: "/usr/bin:/bin", HOME: "/tmp" };

Deno.test("a command gets what to do as its last arguments, and PATH and HOME alone", async () => {
  const out = await Deno.makeTempFile();
  const script = `echo "$@" >> ${out}; env | cut -d= -f1 | sort | tr '\\n' ' ' >> ${out}`;
  const dns = new CommandProvider(["sh", "-c", script, "hook", "first"], ENV);
  await dns.present("_acme-challenge.a.example", "-value", signal);
  await dns.cleanup("_acme-challenge.a.example", "-value", signal);
  const lines = (await Deno.readTextFile(out)).split(/first /);
  assert.deepEqual(lines, [
    "",
    "present _acme-challenge.a.example -value\nHOME PATH PWD ",
    "cleanup _acme-challenge.a.example -value\nHOME PATH PWD ",
  ]);
  await Deno.remove(out);
});

Deno.test("a command that fails is told with its exit code and what it complained of", async () => {
  const script = "echo out; printf 'no such\\nzone\\033[31m' >&2; exit 3";
  const dns = new CommandProvider(["sh", "-c", script], ENV);
  await assert.rejects(dns.present("a.example", "x", signal), {
    name: "DnsProviderError",
    message: 'Cannot set the TXT record "a.example": "sh" ended with exit code 3: no such zone [31m',
  });
  const missing = new CommandProvider(["/nowhere/hook"], ENV);
  await assert.rejects(missing.cleanup("a.example", "x", signal), /"\/nowhere\/hook" cannot be started/);
});

Deno.test("what a command writes without end is not kept", async () => {
  const dns = new CommandProvider(["sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1"], ENV);
  await assert.rejects(dns.present("a.example", "x", signal), (error: Error) => error.message.length < 5000);
});

Deno.test("what left the command's process group is not waited for after an abort", async () => {
  const stop = new AbortController();
  const out = await Deno.makeTempFile();
  const dns = new CommandProvider(["sh", "-c", `setsid sh -c 'echo $$ > ${out}; exec sleep 20' & wait`], ENV);
  const running = dns.present("a.example", "x", stop.signal);
  let pid = "";
  while ((pid = (await Deno.readTextFile(out)).trim()) === "") continue;
  stop.abort(new Error("stopped"));
  await assert.rejects(running, /stopped/);
  // It is there yet.
  Deno.kill(Number(pid), "SIGKILL");
  await Deno.remove(out);
});

Deno.test("a command that is aborted ends with all that it started", async () => {
  const stop = new AbortController();
  const out = await Deno.makeTempFile();
  const dns = new CommandProvider(["sh", "-c", `sleep 1000 & echo $! > ${out}; wait`], ENV);
  const running = dns.present("a.example", "x", stop.signal);
  let pid = "";
  while ((pid = (await Deno.readTextFile(out)).trim()) === "") continue;
  stop.abort(new Error("stopped"));
  await assert.rejects(running, /stopped/);
  // A process that has ended may still be waited for by its parent.
  const isAlive = () =>
    Deno.readTextFile(`/proc/${pid}/stat`).then((stat) => !/\) Z /.test(stat), () => false);
  while (await isAlive()) continue;
  await Deno.remove(out);
});
