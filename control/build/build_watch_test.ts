import assert from "node:assert/strict";
import { type BuildBounds, watchBuild } from "./build_watch.ts";

const BOUNDS: BuildBounds = { memoryBytes: 2 ** 40, processes: 100, freeDiskBytes: 0, dir: "/" };

/** A shell with two children, of which one has a child. */
function startTree(): Deno.ChildProcess & AsyncDisposable {
  const process = new Deno.Command("/bin/sh", {
    args: ["-c", "sh -c 'cat; :' | cat; :"],
    stdin: "piped",
    stdout: "null",
  }).spawn();
  return Object.assign(process, {
    async [Symbol.asyncDispose]() {
      await process.stdin.close();
      await process.status;
    },
  });
}

Deno.test("What a build takes too much of is told, of all its processes together", async (t) => {
  const cases: Record<string, { bounds: Partial<BuildBounds>; says: string }> = {
    "processes": { bounds: { processes: 3 }, says: "more than 3 processes" },
    "memory": { bounds: { memoryBytes: 1024 ** 2 }, says: "more than 1 MiB of memory" },
    "disk": { bounds: { freeDiskBytes: 2 ** 60 }, says: "all but the last of the server's disk" },
  };
  for (const [name, { bounds, says }] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using process = startTree();
      const { promise, resolve } = Promise.withResolvers<string>();
      using _watch = watchBuild(process.pid, { ...BOUNDS, ...bounds }, resolve);
      assert.equal(await promise, says);
    });
  }
});

Deno.test("A process that has ended takes nothing", async () => {
  const process = startTree();
  await process[Symbol.asyncDispose]();
  const told: string[] = [];
  using _watch = watchBuild(process.pid, { ...BOUNDS, memoryBytes: 1 }, (what) => told.push(what));
  const { promise, resolve } = Promise.withResolvers<string>();
  // Looked at once more after the first look.
  using _other = watchBuild(Deno.pid, { ...BOUNDS, memoryBytes: 1 }, resolve);
  await promise;
  assert.deepEqual(told, []);
});
