import assert from "node:assert/strict";
import { join } from "node:path";
import { AppTrees } from "./app_trees.ts";

/** Enough to be kept. */
const MANY = 600;
const TOP = ["d0", "d1", "main.ts"];

/** Directories of sandboxes, and how often files were laid out one by one. */
class Bench implements AsyncDisposable {
  readonly dir = Deno.makeTempDirSync({ prefix: "isola-trees-" });
  readonly unwanted = new Set<string>();
  readonly trees = new AppTrees({
    dir: join(this.dir, "trees"),
    isWanted: (deploymentId) => !this.unwanted.has(deploymentId),
  });
  laidOut = 0;
  #nextSandbox = 0;

  /** An empty directory, as a sandbox's keeper makes it. */
  sandbox(): string {
    const dir = join(this.dir, `sandbox${this.#nextSandbox++}`);
    Deno.mkdirSync(dir);
    return dir;
  }

  populate(deploymentId: string, dir: string, files = MANY): Promise<void> {
    return this.trees.populate(deploymentId, dir, (into) => {
      this.laidOut++;
      for (const folder of ["d0", "d1"]) Deno.mkdirSync(join(into, folder));
      for (let n = 1; n < files; n++) Deno.writeTextFileSync(join(into, `d${n % 2}`, `f${n}`), deploymentId);
      Deno.writeTextFileSync(join(into, "main.ts"), deploymentId);
      return Promise.resolve(files);
    });
  }

  /** As its keeper ends a sandbox. */
  async end(deploymentId: string, dir: string): Promise<void> {
    await this.trees.reclaim(deploymentId, dir);
    await Deno.remove(dir, { recursive: true });
  }

  /** How many trees are on disk. */
  get kept(): number {
    return entries(join(this.dir, "trees")).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.dir, { recursive: true });
  }
}

function entries(dir: string): string[] {
  try {
    return [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

function assertWhole(dir: string, deploymentId: string, files = MANY): void {
  assert.deepEqual(entries(dir), TOP);
  assert.equal(entries(join(dir, "d0")).length + entries(join(dir, "d1")).length, files - 1);
  assert.equal(Deno.readTextFileSync(join(dir, "main.ts")), deploymentId);
}

Deno.test("The files of an isolate that has ended are the next one's", async () => {
  await using bench = new Bench();
  const [first, second, other] = [bench.sandbox(), bench.sandbox(), bench.sandbox()];
  await bench.populate("a", first);
  assertWhole(first, "a");
  await bench.end("a", first);
  await bench.populate("b", other);
  await bench.populate("a", second);
  assertWhole(second, "a");
  assertWhole(other, "b");
  assert.equal(bench.laidOut, 2);
  assert.equal(bench.kept, 0);
});

Deno.test("Two isolates of a deployment at once have files of their own, of which one's are kept", async () => {
  await using bench = new Bench();
  const [first, second, third] = [bench.sandbox(), bench.sandbox(), bench.sandbox()];
  await Promise.all([bench.populate("a", first), bench.populate("a", second)]);
  assertWhole(first, "a");
  assertWhole(second, "a");
  await Promise.all([bench.end("a", first), bench.end("a", second)]);
  assert.equal(bench.kept, 1);
  await bench.populate("a", third);
  assertWhole(third, "a");
  assert.equal(bench.laidOut, 2);
});

Deno.test("Few files are not kept", async () => {
  await using bench = new Bench();
  const dir = bench.sandbox();
  await bench.populate("a", dir, 100);
  await bench.end("a", dir);
  assert.equal(bench.kept, 0);
});

Deno.test("Files that are all at the top are not kept: moving them takes as long as linking them", async () => {
  await using bench = new Bench();
  const dir = bench.sandbox();
  await bench.trees.populate("a", dir, (into) => {
    for (let n = 0; n < MANY; n++) Deno.writeTextFileSync(join(into, `f${n}`), "a");
    return Promise.resolve(MANY);
  });
  await bench.end("a", dir);
  assert.equal(bench.kept, 0);
});

Deno.test("Files that were not laid out to the end are not kept", async () => {
  await using bench = new Bench();
  const dir = bench.sandbox();
  const failing = bench.trees.populate("a", dir, () => {
    Deno.mkdirSync(join(dir, "half"));
    return Promise.reject(new Error("no space left"));
  });
  await assert.rejects(failing, /no space left/);
  await bench.end("a", dir);
  assert.equal(bench.kept, 0);
});

Deno.test("An isolate that ends while its files are laid out leaves them whole", async () => {
  await using bench = new Bench();
  const [first, second] = [bench.sandbox(), bench.sandbox()];
  const { promise: goOn, resolve } = Promise.withResolvers<void>();
  const populated = bench.trees.populate("a", first, async (dir) => {
    for (const folder of ["d0", "d1"]) Deno.mkdirSync(join(dir, folder));
    await goOn;
    for (let n = 1; n < MANY; n++) Deno.writeTextFileSync(join(dir, `d${n % 2}`, `f${n}`), "a");
    Deno.writeTextFileSync(join(dir, "main.ts"), "a");
    return MANY;
  });
  const ended = bench.end("a", first);
  resolve();
  await Promise.all([populated, ended]);
  await bench.populate("a", second);
  assertWhole(second, "a");
  assert.equal(bench.laidOut, 0);
});

Deno.test("A tree that cannot be moved is given up, and the files are laid out", async (t) => {
  await using bench = new Bench();
  const first = bench.sandbox();
  await bench.populate("a", first);
  await bench.end("a", first);
  const second = bench.sandbox();
  // In the way of one entry, whichever comes first.
  Deno.mkdirSync(join(second, "d1", "in the way"), { recursive: true });
  using _silent = silenceErrors();
  await bench.populate("a", second);
  assertWhole(second, "a");
  assert.equal(bench.laidOut, 2);
  assert.equal(bench.kept, 0);
  await t.step("and can be kept again", async () => {
    await bench.end("a", second);
    assert.equal(bench.kept, 1);
  });
});

Deno.test("What is not wanted any more is not kept", async (t) => {
  await using bench = new Bench();
  await t.step("when its isolate ends later", async () => {
    const dir = bench.sandbox();
    await bench.populate("gone", dir);
    bench.unwanted.add("gone");
    await bench.end("gone", dir);
    assert.equal(bench.kept, 0);
  });
  await t.step("when it ended before", async () => {
    const [dir, other] = [bench.sandbox(), bench.sandbox()];
    await bench.populate("a", dir);
    await bench.populate("b", other);
    await bench.end("a", dir);
    await bench.end("b", other);
    bench.unwanted.add("a");
    await bench.trees.sweep();
    assert.equal(bench.kept, 1);
  });
});

Deno.test("No more is kept than the bounds allow, the least recently used goes first", async () => {
  await using bench = new Bench();
  // The number of files is what the one who lays them out says.
  for (const id of ["a", "b", "c"]) {
    const dir = bench.sandbox();
    await bench.trees.populate(id, dir, (into) => {
      Deno.writeTextFileSync(join(into, "main.ts"), id);
      return Promise.resolve(90_000);
    });
    await bench.end(id, dir);
  }
  assert.equal(bench.kept, 2);
  const again: string[] = [];
  for (const id of ["a", "b", "c"]) {
    await bench.trees.populate(id, bench.sandbox(), () => Promise.resolve(again.push(id)));
  }
  assert.deepEqual(again, ["a"]);
});

/** The server says what it could not do; that is expected here. */
function silenceErrors(): Disposable {
  const original = console.error;
  console.error = () => {};
  return { [Symbol.dispose]: () => console.error = original };
}
