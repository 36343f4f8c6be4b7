import assert from "node:assert/strict";
import { deployTo, run, startControlPlane, testDeps, TOKEN } from "../control_plane_test.ts";
import { runCli } from "../run_cli.ts";

const NOW = Date.now();

const line = (agoMs: number, message: string) => ({
  time: new Date(NOW - agoMs).toISOString(),
  level: "info" as const,
  message,
  region: "local",
});

const messages = (out: string) =>
  out.trimEnd().split("\n").filter(Boolean).map((text) => JSON.parse(text).message);

Deno.test("the logs of several projects are shown as one, each line with its own", async () => {
  await using plane = await startControlPlane();
  const [hello, shop] = [await deployTo(plane, "hello"), await deployTo(plane, "shop")];
  plane.writeLog(hello, line(3000, "first"), line(1000, "third"));
  plane.writeLog(shop, line(2000, "second"));
  const both = ["-p", "hello", "-p", "shop"];
  assert.match(
    (await run(plane, ["logs", ...both])).out,
    /^hello [\d:.]{12} info {4}first\nshop {2}[\d:.]{12} info {4}second\nhello [\d:.]{12} info {4}third\n$/,
  );
  const { out } = await run(plane, ["logs", ...both, "--json"]);
  assert.deepEqual(out.trimEnd().split("\n").map((text) => JSON.parse(text).deploymentId), [
    hello,
    shop,
    hello,
  ]);

  const stop = new AbortController();
  const deps = testDeps({ env: { ISOLA_URL: plane.url, ISOLA_TOKEN: TOKEN }, signal: stop.signal });
  const running = runCli(["logs", "-f", ...both], deps);
  await deps.stdout.until(/third\n/);
  plane.writeLog(shop, line(0, "of shop"));
  plane.writeLog(hello, line(0, "of hello"));
  await deps.stdout.until(/of shop\n(?:.|\n)*of hello\n|of hello\n(?:.|\n)*of shop\n/);
  stop.abort();
  assert.equal(await running, 0);
});

Deno.test("whoever follows a project's log sees that of its next production, from when it became that", async () => {
  await using plane = await startControlPlane();
  const first = await deployTo(plane, "hello");
  const second = await deployTo(plane, "hello");
  const stop = new AbortController();
  const deps = testDeps({ env: { ISOLA_URL: plane.url, ISOLA_TOKEN: TOKEN }, signal: stop.signal });
  plane.writeLog(first, line(0, "one"));
  const running = runCli(["logs", "-f", "-p", "hello"], deps);
  await deps.stdout.until(/one\n/);
  assert.equal((await run(plane, ["promote", second])).code, 0);
  plane.writeLog(second, { ...line(0, "two"), time: new Date().toISOString() });
  await deps.stdout.until(/two\n/);
  assert.match(deps.stderr.text, new RegExp(`Deployment "${second}" is the production of "hello" now`));
  plane.writeLog(first, { ...line(0, "one's last"), time: new Date().toISOString() });
  plane.writeLog(second, { ...line(0, "more"), time: new Date().toISOString() });
  await deps.stdout.until(/one's last\n(?:.|\n)*more\n|more\n(?:.|\n)*one's last\n/);
  stop.abort();
  assert.equal(await running, 0);
});

Deno.test("a log is searched, and exported whole", async () => {
  await using plane = await startControlPlane();
  const id = await deployTo(plane, "hello");
  plane.writeLog(id, ...Array.from({ length: 150 }, (_, index) => line(10_000 - index, `line ${index}`)));
  const show = async (...args: string[]) =>
    messages((await run(plane, ["logs", "-p", "hello", "--json", ...args])).out);
  assert.equal((await show()).length, 100);
  assert.deepEqual(await show("-n", "2"), ["line 148", "line 149"]);
  assert.equal((await show("--since", "1d")).length, 150);
  assert.deepEqual(await show("--until", new Date(NOW - 9998).toISOString()), ["line 0", "line 1", "line 2"]);
  assert.deepEqual(await show("--grep", "LINE 14", "--since", "1d", "--region", "local,other"), [
    "line 14",
    ...Array.from({ length: 10 }, (_, index) => `line 14${index}`),
  ]);
  assert.deepEqual(await show("--region", "elsewhere"), []);
});

Deno.test("the requests of a project are shown, by status", async () => {
  await using plane = await startControlPlane();
  const deploymentId = await deployTo(plane, "hello");
  const entry = {
    timeMs: NOW,
    method: "GET",
    host: "hello.localhost",
    path: "/a",
    protocol: "HTTP/1.1" as const,
    status: 200,
    complete: true,
    cold: true,
    durationMs: 12.3,
    requestBytes: 10,
    responseBytes: 20,
    deploymentId,
    isolateId: "i1",
    errorCode: null,
    requestId: null,
    address: "127.0.0.1",
    traceId: "0".repeat(32),
  };
  await plane.logs.access.append({
    entries: [entry, { ...entry, path: "/b", status: 503, cold: false, errorCode: "OVERLOADED" }],
    dropped: new Map(),
  }, "local");
  assert.match(
    (await run(plane, ["logs", "-p", "hello", "--access"])).out,
    /^[\d:.]{12} 200 {4}12 ms GET hello\.localhost\/a \(cold start\)\n[\d:.]{12} 503 {4}12 ms GET hello\.localhost\/b \(OVERLOADED\)\n$/,
  );
  assert.match(
    (await run(plane, ["logs", "-p", "hello", "--access"])).err,
    /^No requests of "hello" are recorded: isola projects update hello --access-log on\n$/,
  );
  const { out } = await run(plane, ["logs", "-d", deploymentId, "--access", "--status", "5xx", "--json"]);
  assert.deepEqual(out.trimEnd().split("\n").map((text) => JSON.parse(text).path), ["/b"]);
});

Deno.test("options that say nothing together are refused", async () => {
  await using plane = await startControlPlane();
  for (
    const [args, problem] of [
      [["-f", "--until", "1h"], /--follow with --until/],
      [["--access", "--level", "error"], /requests have a --status/],
      [["--status", "404"], /--status without --access/],
      [["-n", "0"], /--lines "0": must be 1 to 10000/],
      [["--since", "yesterday"], /--since "yesterday": must be like 10m/],
    ] as const
  ) {
    const { code, err } = await run(plane, ["logs", "-p", "hello", ...args]);
    assert.equal(code, 2, args.join());
    assert.match(err, problem);
  }
});
