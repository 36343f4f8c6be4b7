import assert from "node:assert/strict";
import { simulate, type SimulationReport } from "./simulator.ts";

const SCHEDULES = 5_000;
/** `SIMULATOR_SEED=7 deno test …` replays one schedule. */
const replayed = Deno.env.get("SIMULATOR_SEED");

Deno.test({
  name: "the lifecycle keeps its promises in thousands of schedules of load, failures and lost answers",
  ignore: replayed !== undefined,
  fn() {
    const total: SimulationReport = {
      events: 0,
      elapsedMs: 0,
      granted: 0,
      refused: 0,
      evicted: 0,
      backedOff: 0,
    };
    for (let seed = 1; seed <= SCHEDULES; seed++) {
      const report = simulate(seed);
      for (const key of Object.keys(total) as (keyof SimulationReport)[]) total[key] += report[key];
    }
    // The schedules are worth something only if they lead everywhere.
    assert.ok(total.events > 100 * SCHEDULES, `only ${total.events} events`);
    assert.ok(total.granted > 15 * SCHEDULES, `only ${total.granted} granted`);
    assert.ok(total.refused > SCHEDULES, `only ${total.refused} refused`);
    assert.ok(total.backedOff > SCHEDULES, `only ${total.backedOff} backed off`);
    assert.ok(total.evicted > SCHEDULES, `only ${total.evicted} evicted`);
  },
});

Deno.test({
  name: "one schedule is replayed by its seed",
  ignore: replayed === undefined,
  fn() {
    console.log(simulate(Number(replayed)));
  },
});

Deno.test("a schedule is determined by its seed", () => {
  assert.deepEqual(simulate(42), simulate(42));
});
