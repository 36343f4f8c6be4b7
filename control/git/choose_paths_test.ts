import assert from "node:assert/strict";
import { choosePaths } from "./choose_paths.ts";

Deno.test("globs choose paths from the folder on", async () => {
  const paths = ["main.ts", "lib/a.ts", "lib/b.test.ts", "docs/lib/c.ts"];
  const chosen = async (include: string[], exclude: string[]) => {
    const marks = await choosePaths({ paths, include, exclude });
    return paths.filter((_, index) => marks[index]);
  };
  assert.deepEqual(await chosen([], []), paths);
  assert.deepEqual(await chosen(["lib"], []), ["lib/a.ts", "lib/b.test.ts"]);
  assert.deepEqual(await chosen([], ["lib", "**/c.ts"]), ["main.ts"]);
  assert.deepEqual(await chosen(["lib"], ["**/*.test.ts"]), ["lib/a.ts"]);
});

Deno.test("globs that would take for ever are given up, and nothing waits for them", async () => {
  const exclude = ["**/a/".repeat(12) + "x"];
  let turns = 0;
  const timer = setInterval(() => turns++, 10);
  await assert.rejects(choosePaths({ paths: ["a/".repeat(100) + "y"], include: [], exclude }, 1000), {
    name: "SnapshotError",
    message: /within 1 s: use simpler globs/,
  });
  clearInterval(timer);
  assert.ok(turns > 5, String(turns));
});
