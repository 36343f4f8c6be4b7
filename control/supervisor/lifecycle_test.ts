import assert from "node:assert/strict";
import {
  ANSWER_TIMEOUT_MS,
  ASK_INTERVAL_MS,
  type LifecycleOptions,
  REFILL_DELAY_MS,
  RETIRE_TIMEOUT_MS,
} from "./lifecycle.ts";
import type { LifecycleEvent } from "./lifecycle_events.ts";
import {
  acquire,
  askPending,
  assign,
  booted,
  bootFailed,
  broken,
  busy,
  end,
  ended,
  grant,
  pending,
  play,
  recall,
  refuse,
  released,
  retire,
  rule,
  run,
  start,
  started,
  type Step,
  survey,
  surveyed,
  T0,
  tick,
} from "./testing/lifecycle_rules.ts";

rule(
  "simultaneous acquires of one deployment share one start, and each gets its own answer",
  {},
  [0, acquire("w1", "a", "r1"), [start("1")]],
  [1, acquire("w2", "a", "r2"), []],
  [50, started("1"), [assign("1", "a")]],
  [51, acquire("w3", "a", "r3"), []],
  [60, booted("1"), [grant("w1", "1"), grant("w2", "1"), grant("w3", "1")]],
  [61, acquire("w4", "a", "r4"), [grant("w4", "1")]],
);

rule(
  "a program that no blank sandbox can take gets one of its own, and leaves the pool alone",
  { warmPool: 1 },
  [0, tick, [start("1")]],
  [50, started("1"), []],
  [60, acquire("w1", "t", "r", true), [start("2", "t")]],
  [90, started("2"), []],
  [99, booted("2"), [grant("w1", "2")]],
);

rule(
  "a blank sandbox of the pool is taken at once, and replaced when its program has had the time to start",
  { warmPool: 2 },
  [0, tick, [start("1"), start("2")]],
  [50, started("1"), []],
  [51, started("2"), []],
  [60, acquire("w1", "a"), [assign("1", "a")]],
  [100, acquire("w2", "b"), [assign("2", "b")]],
  [60 + REFILL_DELAY_MS, tick, [start("3"), start("4")]],
);

rule(
  "who waits for a blank sandbox gets one started at once, whatever was taken before",
  { warmPool: 1, maxIsolates: 10 },
  [0, tick, [start("1")]],
  [50, started("1"), []],
  [60, acquire("w1", "a"), [assign("1", "a")]],
  [61, acquire("w2", "b"), [start("2")]],
  [60 + REFILL_DELAY_MS, tick, [start("3")]],
);

rule(
  "programs that start one after the other do not put the filling of the pool off",
  { warmPool: 3, maxIsolates: 10 },
  [0, tick, [start("1"), start("2")]],
  [10, started("1"), [start("3")]],
  [11, started("2"), []],
  [12, started("3"), []],
  [60, acquire("w1", "a"), [assign("1", "a")]],
  [60 + REFILL_DELAY_MS, acquire("w2", "b"), [assign("2", "b"), start("4"), start("5")]],
);

rule(
  "no more blank sandboxes are started at one time than allowed",
  { warmPool: 4, maxStarting: 2 },
  [0, tick, [start("1"), start("2")]],
  [50, started("1"), [start("3")]],
  [51, started("2"), [start("4")]],
  [52, started("3"), []],
);

rule(
  "blank sandboxes that do not start, or die waiting, are replaced after a second",
  { warmPool: 1 },
  [0, tick, [start("1")]],
  [10, bootFailed("1"), []],
  [900, tick, []],
  [1_010, tick, [start("2")]],
  [1_020, bootFailed("2"), []],
  [3_019, tick, []],
  [3_020, tick, [start("3")]],
  [3_030, started("3"), []],
  [3_040, ended("3"), []],
  [4_039, tick, []],
  [4_040, tick, [start("4")]],
);

rule(
  "an isolate is idle when nobody leases it and no work is unfinished",
  {},
  ...run("1", "a"),
  [10, acquire("w2", "a", "r2"), [grant("w2", "1")]],
  [20, released("1", "r"), []],
  [30, released("1", "r2"), [askPending("1")]],
  [31, pending("1", 2), []],
  [31 + ASK_INTERVAL_MS, tick, [askPending("1")]],
  [540, pending("1", 0), [end("1", "idle")]],
  [550, ended("1"), []],
);

rule(
  "unfinished work keeps an unused isolate for a limited time",
  { maxBackgroundMs: 1_000 },
  ...run("1", "a"),
  [10, released("1"), [askPending("1")]],
  [11, pending("1", 1), []],
  [900, tick, [askPending("1")]],
  [901, pending("1", 1), []],
  [1_401, tick, [askPending("1")]],
  [1_402, pending("1", 1), [end("1", "idle")]],
);

rule(
  "a question about unfinished work that got lost is asked again",
  {},
  ...run("1", "a"),
  [10, released("1"), [askPending("1")]],
  [9 + ANSWER_TIMEOUT_MS, tick, []],
  [10 + ANSWER_TIMEOUT_MS, tick, [askPending("1")]],
  [20 + ANSWER_TIMEOUT_MS, pending("1", 0), [end("1", "idle")]],
);

rule(
  "an answer from before an isolate was used again does not end it",
  {},
  ...run("1", "a"),
  [10, released("1"), [askPending("1")]],
  [11, acquire("w2", "a"), [grant("w2", "1")]],
  [12, pending("1", 0), []],
  [13, released("1"), [askPending("1")]],
  [14, acquire("w3", "a"), [grant("w3", "1")]],
  [15, released("1"), []],
  [16, pending("1", 0), [askPending("1")]],
  [17, pending("1", 1), []],
);

rule(
  "who comes while an isolate is being ended gets a fresh one",
  { maxIsolates: 1 },
  ...run("1", "a"),
  [10, released("1"), [askPending("1")]],
  [11, pending("1", 0), [end("1", "idle")]],
  [12, acquire("w2", "a"), []],
  [20, ended("1"), [start("2")]],
  [40, started("2"), [assign("2", "a")]],
  [41, booted("2"), [grant("w2", "2")]],
);

rule(
  "at the cap the least recently used isolate makes room",
  { maxIsolates: 2 },
  ...run("1", "a", 0),
  ...run("2", "b", 10),
  [20, acquire("w3", "c"), [survey]],
  [21, surveyed({ "1": 19, "2": 15 }), [recall("2")]],
  [22, released("2"), [askPending("2")]],
  [23, pending("2", 0), [end("2", "evicted")]],
  [24, ended("2"), [start("3")]],
  [30, started("3"), [assign("3", "c")]],
);

rule(
  "an isolate that is busy stays, and another one is asked",
  { maxIsolates: 2 },
  ...run("1", "a"),
  ...run("2", "b"),
  [20, acquire("w3", "c"), [survey]],
  [21, surveyed({ "1": 1, "2": 2 }), [recall("1")]],
  [22, busy("1"), [survey]],
  [23, surveyed({ "1": 1, "2": 2 }), [recall("2")]],
  [24, busy("2"), []],
  [21 + ASK_INTERVAL_MS, tick, []],
  [22 + ASK_INTERVAL_MS, tick, [survey]],
);

rule(
  "an isolate with unfinished work does not make room, and another one is asked",
  { maxIsolates: 2 },
  ...run("1", "a"),
  ...run("2", "b"),
  [20, acquire("w3", "c"), [survey]],
  [21, surveyed({ "1": 1, "2": 2 }), [recall("1")]],
  [22, released("1"), [askPending("1")]],
  [23, pending("1", 1), [survey]],
  [24, surveyed({ "2": 2 }), [recall("2")]],
);

rule(
  "an isolate that is used again before it is back stays",
  { maxIsolates: 1 },
  ...run("1", "a"),
  [20, acquire("w2", "b"), [survey]],
  [21, surveyed({}), [recall("1")]],
  [22, released("1"), [askPending("1")]],
  [23, acquire("w3", "a"), [grant("w3", "1"), survey]],
  [24, pending("1", 0), []],
  [600, tick, []],
);

rule(
  "a survey or a recall that is not answered is repeated",
  { maxIsolates: 1 },
  ...run("1", "a"),
  [20, acquire("w2", "b"), [survey]],
  [19 + ANSWER_TIMEOUT_MS, tick, []],
  [20 + ANSWER_TIMEOUT_MS, tick, [survey]],
  [30 + ANSWER_TIMEOUT_MS, surveyed({}), [recall("1")]],
  [30 + ANSWER_TIMEOUT_MS + ASK_INTERVAL_MS, tick, [recall("1")]],
);

rule(
  "who gets no place in time is refused, with the time to retry",
  { maxIsolates: 1 },
  ...run("1", "a"),
  [100, acquire("w2", "b"), [survey]],
  [101, surveyed({}), [recall("1")]],
  [102, busy("1"), []],
  [200, acquire("w3", "b"), []],
  [5_099, busy("1"), []],
  [5_100, tick, [refuse("w2", "OVERLOADED", 1_000)]],
  [5_200, tick, [refuse("w3", "OVERLOADED", 1_000)]],
);

rule(
  "places go to those who wait longest, whatever they were before",
  { maxIsolates: 1 },
  ...run("1", "a"),
  [10, acquire("w2", "b"), [survey]],
  [20, acquire("w3", "c"), []],
  [30, surveyed({}), [recall("1")]],
  [31, broken("1"), [end("1", "protocol")]],
  [32, acquire("w4", "a"), []],
  [40, ended("1"), [start("2")]],
  [50, started("2"), [assign("2", "b")]],
  [60, booted("2"), [grant("w2", "2"), survey]],
  [61, broken("2"), [end("2", "protocol")]],
  [62, surveyed({}), []],
  [70, ended("2"), [start("3")]],
  [80, started("3"), [assign("3", "c")]],
);

rule(
  "nobody overtakes who waits for a blank sandbox",
  { maxIsolates: 1 },
  [0, acquire("w1", "a"), [start("1")]],
  [10, acquire("w2", "t", "r", true), []],
  [50, started("1"), [assign("1", "a")]],
);

rule(
  "too many who wait are refused at once",
  { maxWaiters: 2 },
  [0, acquire("w1", "a"), [start("1")]],
  [1, acquire("w2", "a"), []],
  [2, acquire("w3", "a"), [refuse("w3", "OVERLOADED", 1_000)]],
  [3, acquire("w4", "b"), [refuse("w4", "OVERLOADED", 1_000)]],
  [50, started("1"), [assign("1", "a")]],
  [60, booted("1"), [grant("w1", "1"), grant("w2", "1")]],
  [61, acquire("w5", "b"), [start("2")]],
);

Deno.test("boots that keep failing are backed off, one second doubling to sixty, and answered at once meanwhile", () => {
  const lifecycle = play({}, []);
  let now = T0;
  for (const [index, backoffS] of [1, 2, 4, 8, 16, 32, 60, 60].entries()) {
    const isolateId = lifecycle.handle(acquire("w", "t", "r", true), now).map((effect) => {
      assert.equal(effect.type, "start", `boot ${index}`);
      return "isolateId" in effect ? effect.isolateId : "";
    })[0]!;
    const failure: LifecycleEvent = { type: "ended", isolateId, code: "BOOT_TIMEOUT" };
    assert.deepEqual(lifecycle.handle(failure, now), [refuse("w", "BOOT_TIMEOUT", backoffS * 1_000)]);
    now += backoffS * 1_000;
    assert.deepEqual(lifecycle.handle(acquire("x", "t"), now - 1), [refuse("x", "BOOT_TIMEOUT", 1)]);
  }
});

rule(
  "a boot that succeeds, or a minute without any, ends the back-off",
  {},
  [0, acquire("w1", "t", "r", true), [start("1", "t")]],
  [1, bootFailed("1"), [refuse("w1", "BOOT_FAILURE", 1_000)]],
  [1_001, acquire("w2", "t", "r", true), [start("2", "t")]],
  [1_002, started("2"), []],
  [1_003, booted("2"), [grant("w2", "2")]],
  [1_004, ended("2"), []],
  [1_005, acquire("w3", "t", "r", true), [start("3", "t")]],
  [1_006, bootFailed("3"), [refuse("w3", "BOOT_FAILURE", 1_000)]],
  [62_006, tick, []],
  [62_007, acquire("w4", "t", "r", true), [start("4", "t")]],
  [62_008, bootFailed("4"), [refuse("w4", "BOOT_FAILURE", 1_000)]],
);

rule(
  "a retired deployment finishes what is in flight",
  {},
  ...run("1", "a"),
  [10, retire("a"), [recall("1")]],
  [11, busy("1"), []],
  [10 + ASK_INTERVAL_MS, tick, [recall("1")]],
  [600, released("1"), [end("1", "retired")]],
);

rule(
  "a retired deployment is ended after ten seconds, whatever is in flight",
  {},
  ...run("1", "a"),
  [10, retire("a"), [recall("1")]],
  [9 + RETIRE_TIMEOUT_MS, tick, [recall("1")]],
  [10 + RETIRE_TIMEOUT_MS, tick, [end("1", "retired")]],
);

rule(
  "who waits for a deployment that is retired learns that it is gone, and its boot is ended",
  {},
  [0, acquire("w1", "a"), [start("1")]],
  [10, started("1"), [assign("1", "a")]],
  [11, retire("a"), [refuse("w1", "DEPLOYMENT_NOT_FOUND"), end("1", "retired")]],
  [12, booted("1"), []],
  [13, ended("1"), []],
);

rule(
  "what is retired before it has a process is ended as soon as it has one",
  {},
  [0, acquire("w1", "t", "r", true), [start("1", "t")]],
  [1, retire("t"), [refuse("w1", "DEPLOYMENT_NOT_FOUND"), end("1", "retired")]],
  [2, started("1"), [end("1", "retired")]],
  [3, booted("1"), []],
  [4, ended("1"), []],
);

rule(
  "an isolate that a lessee found broken is ended, whoever else uses it",
  {},
  ...run("1", "a"),
  [10, acquire("w2", "a", "r2"), [grant("w2", "1")]],
  [20, broken("1"), [end("1", "protocol")]],
  [21, released("1", "r2"), []],
  [22, broken("1", "r2"), []],
  [30, ended("1"), []],
);

rule(
  "news of an isolate that is not known changes nothing",
  {},
  [0, started("x"), []],
  [1, booted("x"), []],
  [2, ended("x"), []],
  [3, released("x"), []],
  [4, busy("x"), []],
  [5, broken("x"), []],
  [6, pending("x", 0), []],
  [7, retire("x"), []],
  [8, surveyed({ x: 1 }), []],
);

Deno.test("time that goes back does not take anything back", () => {
  const lifecycle = play({ maxIsolates: 1 }, [
    ...run("1", "a", 5_000),
    [5_000, acquire("w2", "b"), [survey]],
  ]);
  assert.deepEqual(lifecycle.handle(tick, T0), []);
  assert.deepEqual(
    lifecycle.handle(tick, T0 + 10_000),
    [refuse("w2", "OVERLOADED", 1_000), survey].reverse(),
  );
});

Deno.test("the next tick is due when something may change without an event, and never when nothing can", () => {
  const dueAfter = (steps: Step[], options: Partial<LifecycleOptions> = {}) =>
    play(options, steps).nextTickAt() - T0;
  assert.equal(dueAfter([]), Infinity);
  assert.equal(dueAfter(run("1", "a")), Infinity);
  assert.equal(dueAfter([...run("1", "a"), [10, released("1"), [askPending("1")]]]), 10 + ANSWER_TIMEOUT_MS);
  const retired: Step[] = [...run("1", "a"), [10, retire("a"), [recall("1")]]];
  assert.equal(dueAfter(retired), 10 + ASK_INTERVAL_MS);
  assert.equal(dueAfter([...retired, [9_900, tick, [recall("1")]]]), 10 + RETIRE_TIMEOUT_MS);
  const backedOff: Step[] = [[0, tick, [start("1")]], [5, bootFailed("1"), []]];
  assert.equal(dueAfter(backedOff, { warmPool: 1 }), 1_005);
  const taken: Step[] = [...backedOff, [1_005, tick, [start("2")]], [1_010, started("2"), []]];
  taken.push([1_020, acquire("w", "a"), [assign("2", "a")]]);
  assert.equal(dueAfter(taken, { warmPool: 1 }), 1_020 + REFILL_DELAY_MS);
  const waiting: Step[] = [...run("1", "a"), [0, acquire("w", "b"), [survey]]];
  assert.equal(dueAfter(waiting, { maxIsolates: 1, queueTimeoutMs: 300 }), 300);
  assert.equal(dueAfter(waiting, { maxIsolates: 1 }), ASK_INTERVAL_MS);
});
