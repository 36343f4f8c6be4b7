import assert from "node:assert/strict";
import { Contenders } from "./contenders.ts";
import type { Subject } from "./subject.ts";

async function subject(name: string, ended: string[]): Promise<Subject> {
  await Promise.resolve();
  const end = async () => {
    await Promise.resolve();
    ended.push(name);
  };
  return { port: 1, host: "h", pids: [], [Symbol.asyncDispose]: end };
}

Deno.test("subjects are measured in turns, and all end", async () => {
  const [turns, ended]: [string[], string[]] = [[], []];
  {
    await using contenders = new Contenders(() => {});
    for (const name of ["a", "b"]) await contenders.start(name, () => subject(name, ended));
    const found = await contenders.measure("load", 2, (_, name) => Promise.resolve(turns.push(name)));
    assert.deepEqual([...found], [["a", [1, 3]], ["b", [2, 4]]]);
  }
  assert.deepEqual(turns, ["a", "b", "a", "b"]);
  assert.deepEqual(ended, ["b", "a"]);
});

Deno.test("one that does not start, or fails in the middle, is told and leaves the others", async () => {
  const ended: string[] = [];
  {
    await using contenders = new Contenders(() => {});
    for (const name of ["a", "b"]) await contenders.start(name, () => subject(name, ended));
    await contenders.start("c", () => Promise.reject(new Error("no binary")));
    let round = 0;
    const found = await contenders.measure("load", 3, async (_, name) => {
      await Promise.resolve();
      if (name === "a" && ++round === 2) throw new Error("it hangs");
      return name;
    });
    assert.deepEqual([...found], [["b", ["b", "b", "b"]]]);
    assert.equal((await contenders.measure("more", 1, () => Promise.resolve(1))).size, 1);
    assert.deepEqual(contenders.failures, ["c: no binary", "a: it hangs"]);
  }
  assert.deepEqual(ended, ["b", "a"]);
});
