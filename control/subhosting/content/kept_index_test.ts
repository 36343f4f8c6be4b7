import assert from "node:assert/strict";
import { openDatabase } from "../../store/mod.ts";
import { KEPT_MIGRATIONS, KeptIndex } from "./kept_index.ts";

Deno.test("uses that the disk does not take are lost, and nothing else", () => {
  using database = openDatabase(":memory:", { migrations: KEPT_MIGRATIONS, durability: "normal" });
  const told: unknown[] = [];
  const { error } = console;
  console.error = (line) => told.push(line);
  using _ = { [Symbol.dispose]: () => console.error = error };
  {
    using index = new KeptIndex(database, { maxBytes: 10, maxEntries: 10 });
    index.grow({ name: "a", owner: "acme" }, 6);
    database.execute("PRAGMA query_only = ON");
    for (let use = 0; use < 2_000; use++) index.use(`n${use}`);
    index.use("a");
  }
  assert.equal(told.length, 5);
  database.execute("PRAGMA query_only = OFF");
  using index = new KeptIndex(database, { maxBytes: 10, maxEntries: 10 });
  index.grow({ name: "b", owner: "acme" }, 6);
  assert.deepEqual(index.surplus(10), ["a"]);
});
