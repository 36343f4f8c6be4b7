import assert from "node:assert/strict";
import { livingServers, MAX_SERVERS, takeServerSlot } from "./server_slot.ts";

async function inTempDir(work: (dir: string) => void) {
  const dir = await Deno.makeTempDir({ prefix: "isola-slot-" });
  try {
    work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("servers of one data directory have slots of their own, and live while they have them", () =>
  inTempDir((dir) => {
    assert.deepEqual(livingServers(dir), new Set());
    const first = takeServerSlot(dir, "isola-first");
    {
      using second = takeServerSlot(dir, "isola-second");
      assert.deepEqual([first.index, second.index], [0, 1]);
      assert.deepEqual(livingServers(dir), new Set(["isola-first", "isola-second"]));
    }
    assert.deepEqual(livingServers(dir), new Set(["isola-first"]));
    first[Symbol.dispose]();
    using again = takeServerSlot(dir, "isola-x");
    assert.deepEqual([again.index, livingServers(dir)], [0, new Set(["isola-x"])]);
  }));

Deno.test("there is a bound on how many servers a data directory has", () =>
  inTempDir((dir) => {
    using slots = new DisposableStack();
    for (let count = 0; count < MAX_SERVERS; count++) slots.use(takeServerSlot(dir, `isola-${count}`));
    assert.throws(() => takeServerSlot(dir, "isola-more"), {
      message: `Cannot start sandboxes for "${dir}": ${MAX_SERVERS} servers do so already`,
    });
  }));
