import assert from "node:assert/strict";
import { sandboxUsers } from "./sandbox_users.ts";

const take = (uidMap: string, count: number) =>
  Array.from({ length: count }, ((users) => () => users.next().value)(sandboxUsers(uidMap)));

Deno.test("sandboxes have users that nothing else on the machine has, one after the other", () => {
  assert.deepEqual(take("         0          0 4294967295\n", 3), [
    1_900_000_000,
    1_900_000_001,
    1_900_000_002,
  ]);
});

Deno.test("where only some users are mapped, they are the last of them and never root", () => {
  assert.deepEqual(take("0 100000 65536\n", 2), [64_536, 64_537]);
  assert.deepEqual(take("0 1000 1\n1 100000 999\n", 2), [1, 2]);
  assert(take("0 1000 1\n1 100000 9\n", 30).every((uid) => uid > 0 && uid < 10));
});

Deno.test("no user comes back before all others had their turn", () => {
  assert.equal(new Set(take("0 0 4294967295\n", 50_000)).size, 50_000);
  assert.equal(take("0 0 4294967295\n", 50_001).at(-1), 1_900_000_000);
});
