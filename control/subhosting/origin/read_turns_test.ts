import assert from "node:assert/strict";
import { ReadTurns } from "./read_turns.ts";

Deno.test("Of many answers that want to go on, one does in a turn of the event loop", async () => {
  const turns = new ReadTurns();
  let turn = 0;
  const timer = setInterval(() => turn++, 0);
  const at = await Promise.all(Array.from({ length: 5 }, () => turns.next().then(() => turn)));
  clearInterval(timer);
  assert.equal(new Set(at).size, 5, at.join());
});
