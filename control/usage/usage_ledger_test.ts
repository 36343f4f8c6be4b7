import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase } from "../store/mod.ts";
import { MIGRATIONS } from "../store/migrations.ts";
import { startTestUsage, used } from "./testing/test_usage.ts";
import type { UsageDelta } from "./usage_delta.ts";
import { UsageLedger } from "./usage_ledger.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NOON = "2026-08-01T12:00:00.000Z";
const QUARTER_PAST = "2026-08-01T12:15:00.000Z";

/** Runs `work` and returns what it printed as errors. */
function errorsOf(work: () => void): string[] {
  const lines: string[] = [];
  const { error } = console;
  console.error = (...parts) => lines.push(parts.join(" "));
  try {
    work();
  } finally {
    console.error = error;
  }
  return lines;
}

Deno.test("usage adds up by project and quarter of an hour, the same before and after it is written", async () => {
  using usage = await startTestUsage();
  const { ledger } = usage;
  const projectId = usage.project("shop");
  const [one, two] = [usage.deployment(projectId), usage.deployment(projectId)];
  const delta = {
    requests: 2,
    cpuMs: 0.25,
    uptimeMs: 1000,
    ingressBytes: 10,
    egressBytes: 20,
    memoryBytes: 70,
  };
  ledger.add(one, delta);
  ledger.add(one, { ...delta, memoryBytes: 50 });
  ledger.add(two, { ...delta, memoryBytes: 60 });
  const read = () => [...ledger.rows({ projectId }, usage.nowMs, usage.nowMs + 1)];
  const expected = {
    startMs: usage.nowMs,
    requests: 6,
    cpuMs: 0.75,
    uptimeMs: 3000,
    ingressBytes: 30,
    egressBytes: 60,
    memoryBytes: 70,
  };
  assert.deepEqual(read(), [expected]);
  ledger.flush();
  assert.deepEqual(read(), [expected]);
  ledger.add(two, delta);
  assert.equal(read()[0]!.requests, 8);
  usage.nowMs += 15 * MINUTE_MS;
  ledger.add(two, delta);
  await usage.restart();
  assert.deepEqual(usage.requests(projectId), { [NOON]: 8, [QUARTER_PAST]: 2 });
});

Deno.test("an organization's usage is that of its projects, and of no other's", async () => {
  using usage = await startTestUsage();
  const organizationId = usage.store.organizations.first().id;
  usage.store.database.run("INSERT INTO organizations VALUES ('other', 'other', '9', '')");
  for (const [name, requests] of [["shop", 1], ["blog", 2]] as const) {
    usage.ledger.add(usage.deployment(usage.project(name)), used(requests));
  }
  usage.project("empty");
  usage.ledger.add(usage.deployment(usage.project("foreign", "other")), used(4));
  const sum = (id: string) =>
    [...usage.ledger.rows({ organizationId: id }, 0, Infinity)].reduce(
      (all, { requests }) => all + requests,
      0,
    );
  assert.deepEqual([sum(organizationId), sum("other"), sum("none")], [3, 4, 0]);
  usage.ledger.flush();
  assert.deepEqual([sum(organizationId), sum("other"), sum("none")], [3, 4, 0]);
});

Deno.test("each slot that begins in a range has its row, and adjoining ranges have none twice", async () => {
  using usage = await startTestUsage();
  const projectId = usage.project("shop");
  const starts = (sinceMs: number, untilMs: number) =>
    [...usage.ledger.rows({ projectId }, sinceMs, untilMs)].map(({ startMs }) =>
      (startMs - noon) / MINUTE_MS
    );
  const noon = usage.nowMs;
  usage.nowMs += 50 * MINUTE_MS;
  assert.deepEqual(starts(noon, noon + HOUR_MS), [0, 15, 30, 45]);
  assert.deepEqual(starts(noon + 1, noon + 30 * MINUTE_MS), [15]);
  assert.deepEqual(starts(noon + 30 * MINUTE_MS, noon + 30 * MINUTE_MS + 1), [30]);
  assert.deepEqual(starts(noon + 31 * MINUTE_MS, noon + 44 * MINUTE_MS), []);
  assert.deepEqual(starts(noon + 45 * MINUTE_MS, Infinity), [45]);
  assert.equal(starts(-Infinity, Infinity).length, 366 * 96);
});

const FALSE: Partial<UsageDelta>[] = [
  { requests: NaN },
  { requests: -1 },
  { requests: 1e10 },
  { cpuMs: Infinity },
  { cpuMs: -0.001 },
  { uptimeMs: 15 * MINUTE_MS + 1 },
  { ingressBytes: 2 ** 50 },
  { egressBytes: undefined as unknown as number },
  { memoryBytes: NaN },
];

Deno.test("a report that cannot be true is refused as a whole, and the log says so once for many", async () => {
  using usage = await startTestUsage();
  const projectId = usage.project("shop");
  const id = usage.deployment(projectId);
  for (const wrong of FALSE) usage.ledger.add(id, used(1, wrong));
  usage.ledger.add("unknown", used(1));
  usage.ledger.add(id, used(7));
  assert.deepEqual(errorsOf(() => usage.ledger[Symbol.dispose]()), [
    `Cannot account for 10 reports of usage, the first of deployment "${id}": requests is NaN, not 0 to 1000000000`,
  ]);
  await usage.restart();
  assert.deepEqual(usage.requests(projectId), { [NOON]: 7 });
});

Deno.test("a clock that is set back adds to the slot of its wall time, and nothing is lost", async () => {
  using usage = await startTestUsage();
  const projectId = usage.project("shop");
  const id = usage.deployment(projectId);
  const noon = usage.nowMs;
  for (const [afterMinutes, requests] of [[16, 1], [14, 2], [16, 4], [0, 8], [29, 16]] as const) {
    usage.nowMs = noon + afterMinutes * MINUTE_MS;
    usage.ledger.add(id, used(requests));
    if (afterMinutes === 14) usage.ledger.flush();
  }
  assert.deepEqual(usage.requests(projectId), { [NOON]: 10, [QUARTER_PAST]: 21 });
  await usage.restart();
  assert.deepEqual(usage.requests(projectId), { [NOON]: 10, [QUARTER_PAST]: 21 });
});

Deno.test("usage stays with the project when a deployment is deleted, also what comes after", async () => {
  using usage = await startTestUsage();
  const projectId = usage.project("shop");
  const [id, unseen] = [usage.deployment(projectId), usage.deployment(projectId)];
  usage.ledger.add(id, used(1));
  for (const one of [id, unseen]) usage.store.deployments.delete(one);
  usage.ledger.add(id, used(2));
  usage.ledger.add(unseen, used(4));
  assert.deepEqual(usage.requests(projectId), { [NOON]: 7 });
  await usage.restart();
  usage.ledger.add(id, used(8));
  usage.ledger.flush();
  assert.deepEqual(usage.requests(projectId), { [NOON]: 15 });
});

Deno.test("usage goes with its project, and no later project gets it", async () => {
  using usage = await startTestUsage();
  const projectId = usage.project("shop");
  const id = usage.deployment(projectId);
  usage.ledger.add(id, used(1));
  usage.ledger.flush();
  usage.ledger.add(id, used(2));
  usage.store.projects.delete(projectId);
  assert.deepEqual(errorsOf(() => usage.ledger.flush()), []);
  assert.deepEqual(usage.requests(projectId), {});
  const again = usage.project("shop");
  usage.ledger.add(usage.deployment(again), used(4));
  assert.deepEqual(usage.requests(again), { [NOON]: 4 });
  const organizationId = usage.store.organizations.first().id;
  const [row] = usage.ledger.rows({ organizationId }, usage.nowMs, Infinity);
  assert.equal(row!.requests, 4);
});

Deno.test("totals go on after a restart, and after an hour without use", async () => {
  using usage = await startTestUsage();
  const projectId = usage.project("shop");
  const [idle, busy] = [usage.deployment(projectId), usage.deployment(projectId)];
  const delta = used(1, { cpuMs: 1.5, uptimeMs: 1000, ingressBytes: 2, egressBytes: 3, memoryBytes: 4 });
  const total = (deploymentId: string, times: number) => ({
    deploymentId,
    requests: times,
    cpuMs: 1.5 * times,
    uptimeMs: 1000 * times,
    ingressBytes: 2 * times,
    egressBytes: 3 * times,
  });
  const others = total("other", 0);
  assert.deepEqual(usage.ledger.totals(), [others]);
  usage.ledger.add(idle, delta);
  assert.deepEqual(usage.ledger.totals(), [total(idle, 1), others]);
  await usage.restart(1);
  usage.ledger.add(idle, delta);
  assert.deepEqual(usage.ledger.totals(), [total(idle, 2), others]);
  usage.nowMs += HOUR_MS;
  usage.ledger.add(busy, delta);
  while (usage.ledger.totals().length > 2) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(usage.ledger.totals(), [total(busy, 1), others]);
  usage.ledger.add(idle, delta);
  assert.deepEqual(usage.ledger.totals(), [total(busy, 1), total(idle, 3), others]);
});

Deno.test("there are at most 1,000 totals, and many deployments are written in turns", async () => {
  using usage = await startTestUsage(1);
  const projectId = usage.project("shop");
  const ids = usage.store.database.transaction(() =>
    Array.from({ length: 1200 }, () => usage.deployment(projectId))
  );
  for (const id of ids) usage.ledger.add(id, used(2));
  const totals = usage.ledger.totals();
  assert.equal(totals.length, 1000);
  assert.deepEqual([totals[0]!.requests, totals.at(-1)!.requests], [2, 2 * 201]);
  const written = new Set<number>();
  const countWritten = () =>
    usage.store.database.get<{ sum: number }>("SELECT total(requests) AS sum FROM usage_slots")!.sum;
  for (let sum = 0; sum < 2400; sum = countWritten()) {
    written.add(sum);
    assert.deepEqual(usage.requests(projectId, usage.nowMs), { [NOON]: 2400 });
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.ok(written.size > 2, "other work has its turns meanwhile");
});

Deno.test("rows are kept for a year", async () => {
  using usage = await startTestUsage();
  const projectId = usage.project("shop");
  const id = usage.deployment(projectId);
  const noon = usage.nowMs;
  usage.ledger.add(id, used(1));
  usage.pass(HOUR_MS);
  usage.ledger.add(id, used(2));
  usage.pass(noon + 366 * 24 * HOUR_MS + 15 * MINUTE_MS - usage.nowMs);
  usage.ledger.add(id, used(4));
  usage.ledger.flush();
  assert.deepEqual(Object.values(usage.requests(projectId)), [2, 4]);
  const { rows } = usage.store.database.get<{ rows: number }>("SELECT count(*) AS rows FROM usage_slots")!;
  assert.equal(rows, 2);
  await usage.restart();
  usage.ledger.add(id, used(8));
  assert.equal(usage.ledger.totals()[0]!.requests, 15);
});

Deno.test("a clock that is set forwards makes nothing too old, and what it counted meanwhile stays there", async () => {
  using usage = await startTestUsage();
  const projectId = usage.project("shop");
  const id = usage.deployment(projectId);
  const use = (requests: number) => {
    usage.ledger.add(id, used(requests));
    usage.ledger.flush();
  };
  use(1);
  const tenYearsMs = 10 * 365 * 24 * HOUR_MS;
  usage.nowMs += tenYearsMs;
  use(2);
  await usage.restart();
  use(4);
  usage.nowMs -= tenYearsMs;
  use(8);
  assert.deepEqual(usage.requests(projectId), { [NOON]: 9 });
  usage.nowMs += tenYearsMs;
  assert.deepEqual(Object.values(usage.requests(projectId, usage.nowMs)), [6]);
});

Deno.test("what cannot be written now is written later, once", async () => {
  using usage = await startTestUsage();
  const projectId = usage.project("shop");
  const id = usage.deployment(projectId);
  usage.ledger.add(id, used(1));
  usage.store.database.execute("PRAGMA query_only = ON");
  assert.throws(() => usage.ledger.flush(), /readonly database/);
  usage.ledger.add(id, used(2));
  assert.deepEqual(usage.requests(projectId), { [NOON]: 3 });
  usage.store.database.execute("PRAGMA query_only = OFF");
  usage.ledger.flush();
  assert.deepEqual(usage.requests(projectId), { [NOON]: 3 });
  await usage.restart();
  assert.deepEqual(usage.requests(projectId), { [NOON]: 3 });
});

Deno.test("deployments that are older than the ledger have their accounts", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-usage-" });
  try {
    const path = join(dir, "isola.db");
    using old = openDatabase(path, { migrations: MIGRATIONS.slice(0, 1), durability: "full" });
    old.execute("INSERT INTO organizations VALUES ('o', 'o', '', '')");
    for (const project of ["p", "q"]) {
      old.execute(`INSERT INTO projects VALUES ('${project}', 'o', '${project}', '', NULL, '', '')`);
    }
    for (const [id, project] of [["a", "p"], ["b", "q"], ["c", "p"]]) {
      old.execute(
        `INSERT INTO deployments VALUES (NULL, '${id}', '${project}', 'success', NULL, '', '', NULL, '', NULL, NULL, '', '')`,
      );
    }
    old.close();
    using database = openDatabase(path, { migrations: MIGRATIONS, durability: "full" });
    using ledger = new UsageLedger(database);
    for (const [id, requests] of [["a", 1], ["b", 2], ["c", 4]] as const) ledger.add(id, used(requests));
    const since = Date.now() - HOUR_MS;
    const sums = ["p", "q"].map((projectId) =>
      [...ledger.rows({ projectId }, since, Infinity)].reduce((sum, { requests }) => sum + requests, 0)
    );
    assert.deepEqual(sums, [5, 2]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
