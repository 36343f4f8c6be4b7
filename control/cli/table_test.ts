import assert from "node:assert/strict";
import { table } from "./table.ts";

Deno.test("columns are as wide as their widest cell, numbers to the right", () => {
  assert.deepEqual(table(["NAME", "REQUESTS", "X"], [["a", 7, ""], ["longer", 12345, "y"]]), [
    "NAME    REQUESTS  X",
    "a              7",
    "longer     12345  y",
  ]);
  assert.deepEqual(table(["NAME"], []), ["NAME"]);
});
