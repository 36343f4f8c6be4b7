import assert from "node:assert/strict";
import { AuditLog, type AuditQuery } from "./audit_log.ts";
import { openDatabase } from "./database.ts";
import { MIGRATIONS } from "./migrations.ts";
import { believedClock } from "../testing/believed_clock.ts";
import { SteadyClock } from "../scheduling/steady_clock.ts";

const ALL: AuditQuery = {
  organizationId: null,
  tokenId: null,
  sinceMs: null,
  untilMs: null,
  limit: 100,
  order: "desc",
  cursor: null,
};

function openLog(options = {}) {
  const dir = Deno.makeTempDirSync({ prefix: "isola-audit-" });
  const database = openDatabase(`${dir}/isola.db`, { migrations: MIGRATIONS, durability: "normal" });
  const log = new AuditLog(database, options);
  return {
    log,
    write: (target: string, organizationId: string | null = "o1", tokenId: string | null = "t1") =>
      log.record({ organizationId, tokenId, actor: "ci", action: "create project", target, address: "::1" }),
    targets: (query: Partial<AuditQuery> = {}) =>
      log.query({ ...ALL, ...query }).records.map(({ target }) => target),
    [Symbol.dispose]() {
      log.close();
      database.close();
      Deno.removeSync(dir, { recursive: true });
    },
  };
}

Deno.test("changes are read page by page, in either order, each once", () => {
  using audit = openLog();
  for (let n = 0; n < 10; n++) audit.write(`p${n}`);
  for (const order of ["asc", "desc"] as const) {
    const seen: (string | null)[] = [];
    let cursor: AuditQuery["cursor"] = null;
    do {
      const page = audit.log.query({ ...ALL, order, limit: 3, cursor });
      seen.push(...page.records.map(({ target }) => target));
      cursor = page.next;
    } while (cursor !== null);
    const expected = Array.from({ length: 10 }, (_, n) => `p${n}`);
    assert.deepEqual(seen, order === "asc" ? expected : expected.reverse());
  }
});

Deno.test("changes are found by organization, token and time", () => {
  using audit = openLog();
  audit.write("a", "o1", "t1");
  audit.write("b", "o2", "t2");
  audit.write("c", null, "t1");
  assert.deepEqual(audit.targets({ organizationId: "o1" }), ["a"]);
  assert.deepEqual(audit.targets({ tokenId: "t1" }), ["c", "a"]);
  assert.deepEqual(audit.targets({ organizationId: "o2", tokenId: "t1" }), []);
  assert.deepEqual(audit.targets({ untilMs: Date.now() - 60_000 }), []);
  assert.deepEqual(audit.targets({ sinceMs: Date.now() - 60_000 }), ["c", "b", "a"]);
});

Deno.test("what is too old or too much goes, the newest stays", async () => {
  using few = openLog({ maxEntries: 5 });
  for (let n = 0; n < 20; n++) few.write(`p${n}`);
  await few.log.prune();
  assert.deepEqual(few.targets(), ["p19", "p18", "p17", "p16", "p15"]);
  using young = openLog({ maxAgeMs: -1, clock: believedClock() });
  young.write("a");
  await young.log.prune();
  assert.deepEqual(young.targets(), []);
});

Deno.test("who changes much drives out nothing that others did", async () => {
  using few = openLog({ maxEntries: 2500, maxEntriesOfOne: 1500 });
  few.write("a", "o1");
  few.write("m", null);
  for (let n = 0; n < 3000; n++) few.write(`p${n}`, "o2");
  few.write("b", "o1");
  await few.log.prune();
  assert.deepEqual(few.targets({ organizationId: "o1" }), ["b", "a"]);
  const left = few.targets({ limit: 10_000 });
  assert.deepEqual([left.length, left.at(-1), left.at(-3)], [1503, "a", "p1500"]);
});

Deno.test("a clock that was set does not make entries old", async () => {
  let offsetMs = 0;
  using audit = openLog({ clock: new SteadyClock(() => Date.now() + offsetMs) });
  audit.write("kept");
  offsetMs = 10 * 366 * 24 * 60 * 60_000;
  await audit.log.prune();
  assert.deepEqual(audit.targets(), ["kept"]);
});
