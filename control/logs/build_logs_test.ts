import assert from "node:assert/strict";
import { openStore, type Store } from "../store/mod.ts";
import { PLAIN_DEPLOYMENT } from "../store/testing/plain_deployment.ts";
import { type BuildLogs, MAX_BUILD_CHARS, MAX_BUILD_LINES } from "./build_logs.ts";
import { openLogs } from "./log_store.ts";

async function withBuild(work: (logs: BuildLogs, id: string, store: Store) => void | Promise<void>) {
  const dir = await Deno.makeTempDir({ prefix: "isola-build-logs-" });
  try {
    using store = await openStore(dir);
    using logs = openLogs(dir, store);
    const organizationId = store.organizations.first().id;
    const project = store.projects.create({ organizationId, name: "app", description: "" });
    const { id } = store.deployments.create({ ...PLAIN_DEPLOYMENT, projectId: project.id });
    await work(logs.build, id, store);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const info = (message: string) => ({ level: "info" as const, message });

Deno.test("a build log is read while the build runs and goes with its deployment", () =>
  withBuild((logs, id, store) => {
    logs.append(id, info("one"));
    logs.append(id, { level: "error", message: "two" });
    assert.deepEqual([...logs.list(id)], [info("one"), { level: "error", message: "two" }]);
    assert.deepEqual([...logs.list("nothere")], []);
    store.deployments.delete(id);
    assert.deepEqual([...logs.list(id)], []);
    logs.append(id, info("too late"));
  }));

Deno.test("a reader gets every line, past and to come, and the end of the build", () =>
  withBuild(async (logs, id, store) => {
    logs.append(id, info("past"));
    const reader = logs.follow(id, new AbortController().signal);
    assert.deepEqual((await reader.next()).value, info("past"));
    const next = reader.next();
    for (let count = 0; count < 1200; count++) logs.append(id, info(`${count}`));
    assert.deepEqual((await next).value, info("0"));
    store.deployments.finish(id, { status: "failed" });
    logs.end(id);
    const rest = await Array.fromAsync(reader);
    assert.equal(rest.length, 1199);
    assert.deepEqual(rest.at(-1), info("1199"));
    assert.equal((await Array.fromAsync(logs.follow(id, new AbortController().signal))).length, 1201);
  }));

Deno.test("a reader that waits ends when its client goes, its deployment is deleted, or the log is closed", () =>
  withBuild(async (logs, id, store) => {
    const gone = new AbortController();
    const aborted = logs.follow(id, gone.signal).next();
    gone.abort();
    assert.equal((await aborted).done, true);

    const deleted = logs.follow(id, new AbortController().signal).next();
    store.deployments.delete(id);
    logs.end(id);
    assert.equal((await deleted).done, true);
  }));

Deno.test("closing the logs ends the readers of builds", () =>
  withBuild(async (logs, id) => {
    const waiting = logs.follow(id, new AbortController().signal).next();
    logs.close();
    assert.equal((await waiting).done, true);
  }));

Deno.test("a build that prints without end is cut off with a line that says so", () =>
  withBuild((logs, id) => {
    for (let count = 0; count < MAX_BUILD_LINES + 10; count++) {
      logs.append(id, info("x"));
      if (count % 4000 === 0) assert.deepEqual(logs.list(id).next().value, info("x"));
    }
    const lines = [...logs.list(id)];
    assert.equal(lines.length, MAX_BUILD_LINES + 1);
    assert.deepEqual(lines.at(-1), {
      level: "warning",
      message: `Further lines are dropped: a build log has ${MAX_BUILD_LINES} at most`,
    });
  }));

Deno.test("long lines of a build are cut, and so is a log of many of them", () =>
  withBuild((logs, id) => {
    for (let count = 0; count < 200; count++) logs.append(id, info("x".repeat(20_000)));
    const lines = [...logs.list(id)];
    assert.match(lines[0]!.message, /^x{16384} … \[trimmed\]$/);
    assert.ok(lines.length * 16_384 <= MAX_BUILD_CHARS + 2 * 16_384);
    assert.match(lines.at(-1)!.message, /^Further lines are dropped: a build log has 2097152 characters/);
  }));
