import assert from "node:assert/strict";
import type { SandboxEndReason } from "../../../isolate/mod.ts";
import { NO_USAGE } from "../../usage/usage_delta.ts";
import type { Origin, SubhostingEvent } from "../model.ts";
import { EventFeed } from "./event_feed.ts";
import { ORIGIN, said } from "./testing/test_events.ts";

const ISOLATE = { isolateId: "i1", deploymentId: "acme/shop/v1" };

/** A feed on a clock of its own, with what it told. */
class TestFeed {
  nowMs = 0;
  origin: Origin | undefined = ORIGIN;
  requestedAtMs: number | undefined;
  readonly events: SubhostingEvent[] = [];
  readonly feed = new EventFeed({
    originOf: () => this.origin,
    regionOf: (id) => `${id}-region`,
    requestedAt: () => this.requestedAtMs,
    append: (_origin, event) => void this.events.push(event),
    now: () => this.nowMs,
  });

  get said(): string[] {
    return this.events.map(said);
  }

  print(message: string, level: "info" | "error" = "info") {
    this.feed.printed(ISOLATE, { time: "2026-01-01T00:00:00.000Z", level, message }, "program");
  }

  use(uptimeMs: number, requests = 0) {
    this.nowMs += uptimeMs;
    this.feed.used(ISOLATE, { ...NO_USAGE, uptimeMs, requests, cpuMs: 0.1, memoryBytes: uptimeMs });
  }
}

Deno.test("what becomes of a subhosted isolate is told with whose it is", () => {
  const test = new TestFeed();
  test.feed.assigned(ISOLATE);
  test.feed.serving(ISOLATE, 12.3456);
  test.print("hello");
  assert.deepEqual(test.said, ["boot 0.012", "log hello"]);
  const [boot, log] = test.events;
  const { event_id } = boot!.context;
  assert.deepEqual({ ...boot, timestamp: "" }, {
    event_type: "boot",
    event: { boot_time: 0.012 },
    deployment_id: "shop/v1",
    timestamp: "",
    execution_id: "i1",
    region: "acme-region",
    context: { event_id },
  });
  assert.match(boot!.timestamp, /^20\d\d-\d\d-\d\dT.*Z$/);
  assert.equal(log!.timestamp, "2026-01-01T00:00:00.000Z");
  assert.notEqual(log!.context.event_id, event_id);
});

Deno.test("why a program does not get its files is a line of its own isolate", () => {
  const test = new TestFeed();
  test.feed.assigned(ISOLATE);
  for (const deploymentId of ["shop/v2", "shop/v1"]) {
    test.feed.failedSince({ subhosterId: "acme", deploymentId }, `no files of ${deploymentId}`);
  }
  test.feed.failedSince({ subhosterId: "other", deploymentId: "shop/v1" }, "no files of another");
  assert.deepEqual(test.said, ["log no files of shop/v1"]);
  assert.equal(test.events[0]!.execution_id, "i1");
});

Deno.test("a boot takes as long as its first request waited", () => {
  const test = new TestFeed();
  test.requestedAtMs = 1_000;
  test.feed.assigned(ISOLATE);
  test.nowMs = 1_750;
  test.feed.serving(ISOLATE, 20);
  assert.deepEqual(test.said, ["boot 0.75"]);
});

Deno.test("isolates that are not subhosted, or whose origin is not known, are nobody's business", () => {
  const test = new TestFeed();
  const go = (isolate: typeof ISOLATE) => {
    test.feed.assigned(isolate);
    test.feed.serving(isolate, 1);
    test.feed.printed(isolate, { time: "", level: "info", message: "hello" }, "program");
    test.feed.used(isolate, { ...NO_USAGE, uptimeMs: 60_000 });
    test.feed.ended(isolate, { reason: "time_limit", message: "TIME_LIMIT" });
  };
  go({ isolateId: "i1", deploymentId: "abcdefghijkl" });
  test.origin = undefined;
  go(ISOLATE);
  assert.deepEqual(test.said, []);
});

Deno.test("an error that nobody caught is told once, as what it is", () => {
  const test = new TestFeed();
  test.feed.assigned(ISOLATE);
  test.feed.serving(ISOLATE, 1_000);
  test.print("Uncaught Error: seen before", "error");
  test.print("Uncaught Error: lost", "error");
  test.feed.used(ISOLATE, { ...NO_USAGE, requests: 2 });
  test.feed.ended(ISOLATE, { reason: "exited", message: "Uncaught Error: lost, and more" });
  assert.deepEqual(test.said, [
    "boot 1",
    "log Uncaught Error: seen before",
    "uncaughtException Uncaught Error: lost",
    "usage 2",
  ]);
});

Deno.test("a line that only looks like an uncaught error is told as a line, within seconds", () => {
  const test = new TestFeed();
  test.feed.assigned(ISOLATE);
  test.feed.serving(ISOLATE, 1_000);
  test.print("Uncaught, says the program", "error");
  test.print("Uncaught Error: handled", "error");
  test.use(1_000);
  test.use(1_000);
  assert.equal(test.said.length, 2);
  test.use(1_000);
  assert.deepEqual(test.said.slice(1), ["log Uncaught, says the program", "log Uncaught Error: handled"]);
});

Deno.test("a limit, a crash and a failed boot are told, and ends that the server wanted are not", () => {
  const told = (reason: SandboxEndReason, message: string | undefined, serves: boolean) => {
    const test = new TestFeed();
    test.feed.assigned(ISOLATE);
    if (serves) test.feed.serving(ISOLATE, 0);
    else test.feed.failed(ISOLATE, { reason, message });
    const line = { time: "", level: "error" as const, message: message ?? "" };
    test.feed.printed(ISOLATE, line, "server");
    test.feed.ended(ISOLATE, { reason, message });
    return test.said.filter((text) => text !== "boot 0");
  };
  assert.deepEqual(told("memory_limit", "too much", true), ["memoryLimit too much"]);
  assert.deepEqual(told("time_limit", "too long", true), ["timeLimit too long"]);
  assert.deepEqual(told("crashed", "SIGSEGV", true), ["log SIGSEGV"]);
  assert.deepEqual(told("exited", "The program exited with code 0", true), []);
  assert.deepEqual(told("memory_limit", "too much", false), ["bootFailure too much", "memoryLimit too much"]);
  assert.deepEqual(told("exited", "Uncaught Error: no", false), ["bootFailure Uncaught Error: no"]);
  assert.deepEqual(told("boot_timeout", "late", false), ["bootFailure late"]);
  for (const reason of ["idle", "evicted", "retired", "shutdown"] as const) {
    assert.deepEqual(told(reason, undefined, true), []);
    assert.deepEqual(told(reason, "gone", false), []);
  }
});

Deno.test("what was used is told every ten seconds and at the end, and adds up", () => {
  const test = new TestFeed();
  test.feed.assigned(ISOLATE);
  for (let second = 0; second < 25; second++) test.use(1_000, 2);
  test.use(500, 1);
  test.feed.ended(ISOLATE, { reason: "idle" });
  test.feed.used(ISOLATE, { ...NO_USAGE, requests: 100 });
  assert.deepEqual(test.said, ["usage 20", "usage 20", "usage 11"]);
  assert.deepEqual(test.events[0]!.event, {
    requests: 20,
    cpu_time: 1,
    uptime: 10_000,
    memory_bytes: 1_000,
    ingress_bytes: 0,
    egress_bytes: 0,
  });
});

Deno.test("a deployment that got no isolate fails under an execution id of its own, and no message is endless", () => {
  const test = new TestFeed();
  const subhosted = { subhosterId: "acme", deploymentId: "d1", rpcRoot: ORIGIN.rpcRoot };
  test.feed.failedBefore(subhosted, "x".repeat(10_000));
  test.feed.failedBefore(subhosted, "Cannot GET boot");
  const [first, second] = test.events;
  assert.equal(said(second!), "bootFailure Cannot GET boot");
  assert.equal(said(first!).length, "bootFailure ".length + 4096);
  assert.notEqual(first!.execution_id, second!.execution_id);
  assert.equal(second!.deployment_id, "d1");
});
