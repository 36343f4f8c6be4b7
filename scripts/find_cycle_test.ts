import assert from "node:assert/strict";
import { findCycle } from "./find_cycle.ts";

Deno.test("a graph whose paths only meet has no cycle", () => {
  assert.equal(findCycle(new Map([["a", ["b", "c"]], ["b", ["d"]], ["c", ["d"]], ["d", []]])), undefined);
});

Deno.test("a circle is reported from a node back to itself, without the way that led there", () => {
  assert.deepEqual(findCycle(new Map([["a", ["b"]], ["b", ["c"]], ["c", ["b"]]])), ["b", "c", "b"]);
});

Deno.test("a module that imports itself is a circle", () => {
  assert.deepEqual(findCycle(new Map([["a", ["a"]]])), ["a", "a"]);
});
