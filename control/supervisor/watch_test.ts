import assert from "node:assert/strict";
import {
  type Breach,
  MAX_QUIET_PROBES,
  QUIET_LOOKS,
  Watch,
  WATCH_INTERVAL_MS,
  type WatchedLimits,
} from "./watch.ts";

const LIMITS: WatchedLimits = { memoryMb: 512, cpuBlockMs: 1_000, cpuMsPerRequest: 200 };
const MIB = 1024 ** 2;

/** One isolate as it is found at each look. */
interface Plan {
  limits?: Partial<WatchedLimits>;
  booting?: boolean;
  /** Has requests in flight. */
  busy?: boolean;
  /** CPU time between two looks. */
  cpuMs?: number;
  memoryMb?: (ms: number) => number;
  /** Of 100 ms, how many it was ready to run without a processor. */
  starvedMs?: number;
  /** Its event loop answers nothing from then on. */
  heldFromMs?: number;
  /** …until then. */
  heldToMs?: number;
  /** Since the start. */
  requests?: (ms: number) => number;
  /** Between two looks. */
  intervalMs?: (look: number) => number;
}

/** When the isolate was ended within `forMs`, and why. */
function watched(plan: Plan, forMs = 20_000): { atMs: number; breach: Breach } | undefined {
  const { busy = false, cpuMs = 0, starvedMs = 0, heldFromMs = Infinity, heldToMs = Infinity } = plan;
  const watch = new Watch();
  const inFlight = new Set(busy ? ["i"] : []);
  watch.add("i", { ...LIMITS, ...plan.limits });
  if (!plan.booting) watch.serving("i", 0);
  const holds = (ms: number) => ms >= heldFromMs && ms < heldToMs;
  for (let look = 0, ms = 0; ms <= forMs; look++, ms += plan.intervalMs?.(look) ?? WATCH_INTERVAL_MS) {
    if (!holds(ms)) watch.answered("i");
    watch.counted("i", plan.requests?.(ms) ?? 0, ms);
    const found = watch.due(inFlight).map(({ isolateId, runDelay }) =>
      [isolateId, {
        cpuMs: look * cpuMs,
        memoryBytes: (plan.memoryMb?.(ms) ?? 50) * MIB,
        runDelayMs: runDelay ? ms * starvedMs / 100 : undefined,
      }] as const
    );
    for (const effect of watch.look(ms, new Map(found), inFlight)) {
      if (effect.type === "end") return { atMs: ms, breach: effect.breach };
      if (!holds(ms)) watch.answered("i");
    }
  }
}

/** What is ended, for which limit and when, in ms; without it the isolate lives. */
const TABLE: Record<string, { plan: Plan; ended?: [limit: Breach["limit"], fromMs: number, toMs: number] }> =
  {
    "an isolate that does nothing lives": { plan: {} },
    "one that works and answers lives": { plan: { cpuMs: 100, busy: true } },
    "memory past its limit ends it at the next look": {
      plan: { cpuMs: 100, memoryMb: (ms) => ms > 1_000 ? 513 : 512 },
      ended: ["memoryMb", 1_001, 1_100],
    },
    "memory past its limit ends a quiet one, too": {
      plan: { memoryMb: (ms) => ms > 1_000 ? 513 : 512 },
      ended: ["memoryMb", 1_001, 1_300],
    },
    "memory past its limit ends one that boots": {
      plan: { booting: true, memoryMb: (ms) => ms > 1_000 ? 513 : 50 },
      ended: ["memoryMb", 1_001, 1_100],
    },
    "a boot may hold its event loop": { plan: { booting: true, heldFromMs: 0, cpuMs: 100, busy: true } },
    "an event loop held by CPU work ends it": {
      plan: { cpuMs: 100, heldFromMs: 1_050 },
      ended: ["cpuBlockMs", 2_050, 2_350],
    },
    "an event loop held without CPU work, with a request in flight, ends it": {
      plan: { busy: true, heldFromMs: 1_050 },
      ended: ["cpuBlockMs", 2_050, 2_350],
    },
    "one held without CPU work harms nobody when nobody waits for it": { plan: { heldFromMs: 1_050 } },
    "a block below the limit is no breach": { plan: { cpuMs: 100, heldFromMs: 1_050, heldToMs: 1_950 } },
    "a short limit": {
      plan: { limits: { cpuBlockMs: 10 }, cpuMs: 100, heldFromMs: 1_050 },
      ended: ["cpuBlockMs", 1_100, 1_350],
    },
    "a long limit": {
      plan: { limits: { cpuBlockMs: 5_000 }, cpuMs: 100, heldFromMs: 1_050 },
      ended: ["cpuBlockMs", 6_050, 6_350],
    },
    "time in which it could not run is not its own": {
      plan: { cpuMs: 20, starvedMs: 80, heldFromMs: 1_000, heldToMs: 4_500 },
    },
    "a starved one that holds its event loop is ended when it has used its time": {
      plan: { cpuMs: 50, starvedMs: 50, heldFromMs: 1_000 },
      ended: ["cpuBlockMs", 2_900, 3_200],
    },
    "a starved one answers within ten times its limit": {
      plan: { cpuMs: 10, starvedMs: 500, heldFromMs: 1_000 },
      ended: ["cpuBlockMs", 11_000, 11_300],
    },
    "a starved one answers within thirty seconds after its limit": {
      plan: { limits: { cpuBlockMs: 10_000 }, cpuMs: 10, starvedMs: 500, heldFromMs: 1_000 },
      ended: ["cpuBlockMs", 41_000, 41_300],
    },
    "a pause of the one who looks is not the isolate's": {
      plan: {
        cpuMs: 100,
        busy: true,
        heldFromMs: 1_000,
        heldToMs: 9_500,
        intervalMs: (look) => look === 15 ? 8_000 : WATCH_INTERVAL_MS,
      },
    },
    "who looks late still ends what holds its event loop": {
      plan: { cpuMs: 100, busy: true, heldFromMs: 1_000, intervalMs: () => 400 },
      ended: ["cpuBlockMs", 2_000, 4_000],
    },
    "too much CPU time per request ends it": {
      plan: { cpuMs: 30, requests: (ms) => Math.floor(ms / 1_000) },
      ended: ["cpuMsPerRequest", 20_000, 20_100],
    },
    "as much as it may does not": { plan: { cpuMs: 20, requests: (ms) => Math.floor(ms / 100) } },
  };

for (const [name, { plan, ended }] of Object.entries(TABLE)) {
  Deno.test(`watch: ${name}`, () => {
    const end = watched(plan, 60_000);
    assert.equal(end?.breach.limit, ended?.[0]);
    if (ended === undefined || end === undefined) return;
    const [, fromMs, toMs] = ended;
    assert.ok(end.atMs >= fromMs && end.atMs <= toMs, `ended at ${end.atMs}ms`);
    assert.ok(end.breach.used > end.breach.allowed * 0.99, `${end.breach.used} of ${end.breach.allowed}`);
  });
}

/** Looks at isolates "0", "1", …, of which `busy` have requests in flight; who is measured and who is asked. */
function looking(count: number, busy: number) {
  const watch = new Watch();
  const inFlight = new Set(Array.from({ length: busy }, (_, index) => String(index)));
  for (let index = 0; index < count; index++) {
    watch.add(String(index), LIMITS);
    watch.serving(String(index), 0);
  }
  let now = 0;
  return (cpuMs = 0) => {
    const due = watch.due(inFlight).map(({ isolateId }) => isolateId);
    const found = new Map(due.map((id) => [id, { cpuMs, memoryBytes: 0, runDelayMs: 0 }]));
    const effects = watch.look(now += WATCH_INTERVAL_MS, found, inFlight);
    for (const { isolateId } of effects) watch.answered(isolateId);
    return { due, probed: effects.map(({ isolateId }) => isolateId) };
  };
}

Deno.test("quiet isolates are measured in turns, and never asked", () => {
  const look = looking(90, 0);
  assert.equal(look().due.length, 90);
  const looks = Array.from({ length: QUIET_LOOKS }, () => look());
  assert.deepEqual(looks.map(({ due }) => due.length), Array(QUIET_LOOKS).fill(90 / QUIET_LOOKS));
  assert.equal(new Set(looks.flatMap(({ due }) => due)).size, 90);
  assert.deepEqual(looks.flatMap(({ probed }) => probed), []);
});

Deno.test("isolates that wait are asked in turns when they are many, those that work at each look", () => {
  const look = looking(100, 100);
  const turns = Array.from({ length: 4 }, () => look().probed);
  for (const { length } of turns) assert.equal(length, MAX_QUIET_PROBES);
  assert.equal(new Set(turns.flat()).size, 100);
  assert.equal(look(10).probed.length, 100);
});

Deno.test("an isolate that is not watched any more is neither measured nor ended", () => {
  const watch = new Watch();
  watch.add("i", LIMITS);
  const gone = new Map([["i", { cpuMs: 0, memoryBytes: 999 * MIB }]]);
  watch.remove("i");
  assert.deepEqual(watch.due(new Set()), []);
  assert.deepEqual(watch.look(1, gone, new Set()), []);
  watch.answered("i");
  watch.serving("i", 2);
  watch.counted("i", 3, 3);
  assert.equal(watch.size, 0);
});
