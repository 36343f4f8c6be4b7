import type { ErrorCode } from "../../runner/mod.ts";
import { DEATHS_WINDOW_MS, FREE_DEATHS } from "./backoff.ts";
import type { LifecycleEffect, LifecycleEvent } from "./lifecycle_events.ts";
import {
  acquire,
  askPending,
  assign,
  booted,
  broken,
  died,
  end,
  ended,
  exceeded,
  grant,
  pending,
  refuse,
  released,
  retire,
  rule,
  run,
  start,
  started,
  type Step,
  tick,
} from "./testing/lifecycle_rules.ts";

rule(
  "who dies after its boot is started again at once",
  {},
  ...run("1", "a"),
  [10, died("1", "ISOLATE_CRASHED"), []],
  [11, acquire("w2", "a"), [start("2")]],
);

rule(
  "an isolate that uses too much is ended, whoever uses it, and who comes then gets a fresh one",
  {},
  ...run("1", "a"),
  [10, acquire("w2", "a", "r2"), [grant("w2", "1")]],
  [20, exceeded("1", "MEMORY_LIMIT"), [end("1", "memory_limit")]],
  [21, acquire("w3", "a"), [start("2")]],
  [22, released("1"), []],
  [23, died("1", "MEMORY_LIMIT"), []],
  [24, exceeded("1", "MEMORY_LIMIT"), []],
);

rule(
  "a boot that uses too much fails with that code",
  {},
  [0, acquire("w1", "a"), [start("1")]],
  [10, started("1"), [assign("1", "a")]],
  [11, acquire("w2", "a"), []],
  [20, exceeded("1", "MEMORY_LIMIT"), [
    refuse("w1", "MEMORY_LIMIT", 1_000),
    refuse("w2", "MEMORY_LIMIT", 1_000),
    end("1", "memory_limit"),
  ]],
  [21, booted("1"), []],
  [30, died("1", "MEMORY_LIMIT"), []],
  [31, acquire("w3", "a"), [refuse("w3", "MEMORY_LIMIT", 989)]],
  [1_020, acquire("w3", "a"), [start("2")]],
);

rule(
  "what nobody started a program in cannot use too much",
  { warmPool: 1 },
  [0, tick, [start("1")]],
  [1, exceeded("1", "MEMORY_LIMIT"), []],
  [2, started("1"), []],
  [3, exceeded("1", "MEMORY_LIMIT"), []],
);

/** Isolates 1 to `count` of deployment "a" die one after the other, each as soon as it serves. */
function deaths(count: number, die: (id: string) => [LifecycleEvent, LifecycleEffect[]]): Step[] {
  return Array.from({ length: count }, (_, index): Step[] => {
    const id = String(index + 1);
    const [event, effects] = die(id);
    return [...run(id, "a", index), [index, event, effects], [index, ended(id), []]];
  }).flat();
}

const CAUSES: Record<string, (id: string) => [LifecycleEvent, LifecycleEffect[]]> = {
  ISOLATE_CRASHED: (id) => [died(id, "ISOLATE_CRASHED"), []],
  BAD_RESPONSE: (id) => [broken(id), [end(id, "protocol")]],
  MEMORY_LIMIT: (id) => [exceeded(id, "MEMORY_LIMIT"), [end(id, "memory_limit")]],
  TIME_LIMIT: (id) => [exceeded(id, "TIME_LIMIT"), [end(id, "time_limit")]],
};

for (const [code, die] of Object.entries(CAUSES)) {
  rule(
    `the sixth death in a minute is followed by a back-off, answered at once with the last code: ${code}`,
    {},
    ...deaths(FREE_DEATHS, die),
    [100, acquire("w", "a"), [start("6")]],
    [110, started("6"), [assign("6", "a")]],
    [120, booted("6"), [grant("w", "6")]],
    [200, ...die("6")],
    [201, acquire("x", "a"), [refuse("x", code as ErrorCode, 999)]],
    [202, acquire("y", "b"), [start("7")]],
    [1_200, acquire("z", "a"), [start("8")]],
  );
}

rule(
  "ends that the server wants are no deaths",
  {},
  ...Array.from({ length: 20 }, (_, index): Step[] => {
    const id = String(index + 1);
    return [
      ...run(id, "a", index),
      [index, released(id), [askPending(id)]],
      [index, pending(id, 0), [end(id, "idle")]],
      [index, died(id, "ISOLATE_CRASHED"), []],
    ];
  }).flat(),
);

rule(
  "deaths are forgotten with their deployment, or after a minute of silence",
  {},
  ...deaths(FREE_DEATHS + 1, CAUSES.TIME_LIMIT!),
  [10, acquire("w", "a"), [refuse("w", "TIME_LIMIT", 995)]],
  [11, retire("a"), []],
  [12, acquire("w", "a"), [start("7")]],
  [13, started("7"), [assign("7", "a")]],
  [14, booted("7"), [grant("w", "7")]],
  [15, died("7", "TIME_LIMIT"), []],
  [16 + DEATHS_WINDOW_MS, tick, []],
  [17 + DEATHS_WINDOW_MS, acquire("w", "a"), [start("8")]],
);
