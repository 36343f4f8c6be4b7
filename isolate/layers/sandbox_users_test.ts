import assert from "node:assert/strict";
import { MAX_SERVERS } from "../server_slot.ts";
import { sandboxUsers } from "./sandbox_users.ts";

const ALL_MAPPED = "         0          0 4294967295\n";
const SLOTS = Array.from({ length: MAX_SERVERS }, (_, slot) => slot);

const take = (uidMap: string, count: number, slot = 0) =>
  Array.from({ length: count }, ((users) => () => users.next().value)(sandboxUsers(uidMap, slot)));

Deno.test("sandboxes have users that nothing else on the machine has, one after the other", () => {
  assert.deepEqual(take(ALL_MAPPED, 3), [1_900_000_000, 1_900_000_001, 1_900_000_002]);
});

Deno.test("where only some users are mapped, they are the last of them and never root", () => {
  assert.deepEqual(take("0 100000 65536\n", 2), [64_536, 64_537]);
  assert.deepEqual(take("0 1000 1\n1 100000 999\n", 2), [1, 2]);
  for (const slot of SLOTS) {
    assert(take("0 1000 1\n1 100000 9\n", 30, slot).every((uid) => uid > 0 && uid < 10));
    assert.deepEqual(take("0 1000 1\n1 100000 1\n", 2, slot), [1, 1]);
  }
});

Deno.test("no user comes back before all others had their turn", () => {
  assert.equal(new Set(take(ALL_MAPPED, 50_000)).size, 50_000);
  assert.equal(take(ALL_MAPPED, 50_001).at(-1), 1_900_000_000);
});

Deno.test("servers of one data directory have no user in common", () => {
  for (const [uidMap, each] of [[ALL_MAPPED, 50_000], ["0 100000 65536\n", 250]] as const) {
    const users = SLOTS.flatMap((slot) => take(uidMap, each, slot));
    assert.equal(new Set(users).size, users.length);
  }
});
