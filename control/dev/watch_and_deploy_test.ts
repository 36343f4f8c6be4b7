import assert from "node:assert/strict";
import { ApiClient } from "../cli/client.ts";
import { Recorder, startControlPlane, TOKEN } from "../cli/control_plane_test.ts";
import { TempFolder } from "../cli/snapshot/temp_folder_test.ts";
import { Terminal } from "../cli/terminal.ts";
import { watchAndDeploy } from "./watch_and_deploy.ts";

async function startDev(entries: Record<string, string>) {
  const plane = await startControlPlane();
  const root = new TempFolder();
  for (const [path, content] of Object.entries(entries)) root.write(`shop/${path}`, content);
  const stop = new AbortController();
  const client = new ApiClient({ url: plane.url, token: TOKEN, signal: stop.signal });
  const stdout = new Recorder();
  const stderr = new Recorder();
  const attempts = new Recorder();
  const running = watchAndDeploy(`${root.path}/shop`, {
    client,
    terminal: new Terminal({ stdout, stderr, env: {} }),
    signal: stop.signal,
    entrypoint: undefined,
    readVariables() {
      attempts.writeSync(new TextEncoder().encode("attempt\n"));
      return { MODE: "dev" };
    },
  });
  return {
    plane,
    stdout,
    stderr,
    /** Resolves once so many changes were looked at. */
    looked: (count: number) => attempts.until(new RegExp(`(attempt\n){${count}}`)),
    write: (path: string, content: string) => root.write(`shop/${path}`, content),
    /** Resolves once so many deployments went live. */
    live: (count: number) => stderr.until(new RegExp(`(→ live in [^]*){${count}}`)),
    /** Ids in the order in which they went live. */
    ids: () => [...stderr.text.matchAll(/live in .* \((\w+)\)/g)].map(([, id]) => id!),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      client[Symbol.dispose]();
      await plane[Symbol.asyncDispose]();
      root[Symbol.dispose]();
    },
  };
}

Deno.test("dev deploys the folder as production of a project of its name, again at every save", async () => {
  await using dev = await startDev({ "main.ts": "one" });
  await dev.live(1);
  await dev.stdout.until(/^http:\/\/shop\.localhost:8000\n/);
  assert.deepEqual(dev.plane.lastVariables(), { MODE: "dev" });
  dev.write("main.ts", "two");
  await dev.live(2);
  assert.equal(new Set(dev.ids()).size, 2);
});

Deno.test("a save that changes nothing deploys nothing", async () => {
  await using dev = await startDev({ "main.ts": "one", ".gitignore": "*.log\n" });
  await dev.live(1);
  dev.write("main.ts", "one");
  await dev.looked(2);
  dev.write("debug.log", "ignored");
  await dev.looked(3);
  dev.write("main.ts", "two");
  await dev.live(2);
  const created = dev.plane.requests.filter((request) => /^POST .*\/deployments$/.test(request));
  assert.equal(created.length, 2);
});

Deno.test("a build that fails shows its log, and the next save is deployed", async () => {
  await using dev = await startDev({ "main.ts": "one" });
  await dev.live(1);
  dev.plane.nextBuild = { status: "failed", log: [{ level: "error", message: "main.ts:1:1: no" }] };
  dev.write("main.ts", "broken");
  await dev.stderr.until(
    / {2}main.ts:1:1: no\nerror: The build failed; the version before goes on serving\n/,
  );
  dev.plane.nextBuild = { status: "success", log: [] };
  dev.write("main.ts", "mended");
  await dev.live(2);
});

Deno.test("dev shows the log of what is live now", async () => {
  await using dev = await startDev({ "main.ts": "one" });
  const line = (message: string) => ({
    time: new Date().toISOString(),
    level: "info" as const,
    message,
    region: "local",
  });
  await dev.live(1);
  dev.plane.writeLog(dev.ids()[0]!, line("from one"));
  await dev.stdout.until(/info {4}from one\n/);
  dev.write("main.ts", "two");
  await dev.live(2);
  dev.plane.writeLog(dev.ids()[1]!, line("from two"));
  await dev.stdout.until(/info {4}from two\n/);
});

Deno.test("only the last three deployments are kept", async () => {
  await using dev = await startDev({ "main.ts": "0" });
  for (let count = 1; count <= 5; count++) {
    await dev.live(count);
    if (count < 5) dev.write("main.ts", String(count));
  }
  await dev.plane.until(/^DELETE .*\n[^]*^DELETE /m);
  const deleted = dev.plane.requests.filter((request) => request.startsWith("DELETE "));
  assert.deepEqual(deleted, dev.ids().slice(0, 2).map((id) => `DELETE /v1/deployments/${id}`));
});

Deno.test("a folder that cannot be deployed yet is deployed once it can", async () => {
  await using dev = await startDev({ "lib.ts": "" });
  await dev.stderr.until(/error: Cannot find an entry point/);
  dev.write("main.ts", "one");
  await dev.live(1);
});
