import assert from "node:assert/strict";
import { TempFolder } from "../cli/snapshot/temp_folder_test.ts";
import { FolderChanges } from "./folder_changes.ts";

Deno.test("any number of writes while nobody waits is one change", async () => {
  using folder = new TempFolder({ "a.ts": "" });
  await using changes = new FolderChanges(folder.path);
  for (let index = 0; index < 20; index++) folder.write(`sub/${index}.ts`, "x");
  const startedAt = performance.now();
  assert(await changes.next() !== undefined);
  const second = changes.next();
  folder.write("a.ts", "after");
  const savedAt = await second;
  assert(savedAt !== undefined && savedAt >= startedAt);
});

Deno.test("a change of what is never deployed is none, nor is reading a file", async () => {
  using folder = new TempFolder({ "a.ts": "", ".git/HEAD": "", "node_modules/x.js": "" });
  await using changes = new FolderChanges(folder.path);
  const next = changes.next();
  folder.write(".git/HEAD", "x");
  folder.write("node_modules/x.js", "x");
  Deno.readTextFileSync(`${folder.path}/a.ts`);
  const marker = performance.now();
  folder.write("a.ts", "x");
  // Events come in order: had one before counted, the change would have begun before the marker.
  assert((await next)! >= marker);
});

Deno.test("closing ends the wait", async () => {
  using folder = new TempFolder();
  await using changes = new FolderChanges(folder.path);
  const next = changes.next();
  changes.close();
  assert.equal(await next, undefined);
  assert.equal(await changes.next(), undefined);
});
