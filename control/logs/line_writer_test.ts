import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase } from "../store/mod.ts";
import { LineWriter, MAX_QUEUE } from "./line_writer.ts";

Deno.test("lines that the disk does not take wait for it; what is too much then is counted, and lost ones are said", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-logs-" });
  const errors: string[] = [];
  const { error } = console;
  console.error = (...parts) => errors.push(parts.join(" "));
  try {
    using database = openDatabase(join(dir, "lines.db"), {
      migrations: ["CREATE TABLE lines (scope TEXT, line TEXT) STRICT"],
      durability: "normal",
    });
    const writer = new LineWriter<string>(database, {
      insert: (scope, line) => void database.run("INSERT INTO lines VALUES (?, ?)", scope, line),
      dropped: (count, last) => `${count} were dropped, the last of them ${last}`,
    });
    const written = () => database.all<{ line: string }>("SELECT line FROM lines").map(({ line }) => line);
    database.execute("PRAGMA query_only = ON");
    writer.add("a", Array.from({ length: MAX_QUEUE + 2 }, (_, index) => `${index}`));
    await writer.settle();
    await writer.settle();
    assert.deepEqual(errors.map((text) => text.split(":")[0]), [
      "Cannot write log lines, which is tried again",
    ]);
    database.execute("PRAGMA query_only = OFF");
    await writer.settle();
    assert.deepEqual(written(), [
      ...Array.from({ length: MAX_QUEUE }, (_, index) => `${index}`),
      `2 were dropped, the last of them ${MAX_QUEUE + 1}`,
    ]);
    assert.equal(writer.droppedCount, 2);
    database.execute("PRAGMA query_only = ON");
    writer.add("a", ["late"]);
    writer.close();
    assert.equal(errors.at(-1), "1 log lines are lost");
  } finally {
    console.error = error;
    await Deno.remove(dir, { recursive: true });
  }
});
