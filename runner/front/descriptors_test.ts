import assert from "node:assert/strict";
import { RawVisitor } from "../testing/raw_visitor.ts";
import { until } from "../testing/test_runner.ts";

const LIMIT = 80;
const LINE = /Cannot accept a connection on/g;

Deno.test("Without descriptors visitors wait or are turned away, one line says so, and later all is well", async () => {
  const script = new URL("testing/few_descriptors.ts", import.meta.url).pathname;
  const command = `ulimit -n ${LIMIT}; exec "$0" run -A --no-check "$1"`;
  const process = new Deno.Command("sh", {
    args: ["-c", command, Deno.execPath(), script],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let log = "";
  const logging = process.stderr.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({ write: (text) => void (log += text) }),
  );
  const output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { plain, secured, chain } = JSON.parse((await output.read()).value!);

  const visitors = [];
  for (let i = 0; i < LIMIT; i++) visitors.push(await RawVisitor.send(plain, "hello"));
  assert.ok(await visitors[0]!.receive(/hello/));
  await until(() => log.match(LINE) !== null);
  for (const visitor of visitors) visitor[Symbol.dispose]();

  const halves = [];
  for (let i = 0; i < LIMIT; i++) halves.push(await RawVisitor.send(secured, "\x16"));
  await until(() => log.match(LINE)!.length === 2);
  for (const half of halves) half[Symbol.dispose]();

  using visitor = await RawVisitor.send(plain, "hello");
  assert.ok(await visitor.receive(/hello/));
  const conn = await Deno.connectTls({ hostname: "localhost", port: secured, caCerts: [chain] });
  await conn.handshake();
  conn.close();

  process.kill();
  await Promise.all([process.status, output.cancel(), logging]);
  assert.equal(log.match(LINE)!.length, 2, "one of each front");
});
