import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { startTestUsage } from "./testing/test_usage.ts";

const FLUSH_MS = 200;
const EVERY_MS = 5;
const LINES = 100;

/** Reports usage of the deployments from another process, killed with SIGKILL meanwhile. Returns how much was reported. */
async function reportUntilKilled(dir: string, deploymentIds: readonly string[]): Promise<number> {
  const writer = new URL("./testing/usage_writer.ts", import.meta.url);
  writer.search = new URLSearchParams([
    ["dir", dir],
    ["flushMs", String(FLUSH_MS)],
    ["everyMs", String(EVERY_MS)],
    ...deploymentIds.map((id) => ["deployment", id]),
  ]).toString();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", writer.href],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let count = 0;
  let reported = 0;
  for await (const line of createInterface({ input: Readable.fromWeb(child.stdout) })) {
    reported = Number(line);
    if (++count === LINES) child.kill("SIGKILL");
  }
  await child.status;
  return reported;
}

Deno.test("kill -9 of the server loses what the last flush has not written, and nothing else", async () => {
  using usage = await startTestUsage();
  const projectId = usage.project("shop");
  const ids = [usage.deployment(projectId), usage.deployment(projectId)];
  let stored = 0;
  for (let round = 1; round <= 3; round++) {
    usage.close();
    const reported = await reportUntilKilled(usage.dir, ids);
    await usage.restart();
    usage.nowMs = Date.now();
    const rows = [...usage.ledger.rows({ projectId }, 0, Infinity)];
    const before = stored;
    stored = rows.reduce((sum, row) => sum + row.requests, 0);
    // A timer of 5 ms fires at most so often while one of 200 ms waits twice, however slow the machine is.
    const lost = reported - (stored - before);
    assert.ok(lost >= 0 && lost <= ids.length * 2 * FLUSH_MS / EVERY_MS, `${lost} of ${reported} are lost`);
    assert.equal(rows.reduce((sum, row) => sum + row.cpuMs, 0), stored * 0.5);
    assert.equal(rows.reduce((sum, row) => sum + row.egressBytes, 0), stored);
    const { accounts } = usage.store.database.get<{ accounts: number }>(
      "SELECT sum(requests) AS accounts FROM usage_accounts",
    )!;
    assert.equal(accounts, stored);
  }
  assert.ok(stored > 0);
});
