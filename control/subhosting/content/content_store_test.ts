import assert from "node:assert/strict";
import { join } from "node:path";
import { SecretBox } from "../../secrets/secret_box.ts";
import type { FileTree } from "../model.ts";
import { ContentStore, type ContentStoreOptions, INDEX_FILE } from "./content_store.ts";
import type { ProgramModules } from "./program_modules.ts";

const KEY = "acme/d-1";
const SECRET = "a variable's value";

interface Trial extends AsyncDisposable {
  dir: string;
  open(options?: Partial<ContentStoreOptions>): Promise<ContentStore>;
}

async function trial(): Promise<Trial> {
  const dir = await Deno.makeTempDir({ prefix: "isola-content-" });
  return {
    dir,
    open: (options) => ContentStore.open({ dir, box: new SecretBox(new Uint8Array(32).fill(7)), ...options }),
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

function modules(code: string): ProgramModules {
  const entry = "file:///src/main.js";
  return {
    index: { modules: { [entry]: { file: "0.mjs", format: "module" } } },
    sources: new Map([["0.mjs", new TextEncoder().encode(code)]]),
    entry,
    entryFile: "0.mjs",
  };
}

const CONFIG = { env: { KEY: SECRET }, net: undefined };

async function sourceOf(store: ContentStore, key: string): Promise<string> {
  return await Deno.readTextFile(store.filePath(key, "0.mjs"));
}

/** All files below a folder that make up an entry. */
async function* filesIn(dir: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(dir)) {
    const path = join(dir, entry.name);
    if (entry.isDirectory) yield* filesIn(path);
    else if (!entry.name.startsWith("index.db")) yield path;
  }
}

Deno.test("a program is kept over restarts, its variables sealed", async () => {
  await using trials = await trial();
  {
    await using store = await trials.open();
    assert.equal(await store.load(KEY), undefined);
    assert.throws(() => store.read(KEY), /nothing is kept of it/);
    await store.add(KEY, modules("first"), CONFIG);
    await store.add(KEY, modules("second"), CONFIG); // It stays what it was.
  }
  await using store = await trials.open();
  assert.equal(store.remembered(KEY), undefined);
  const read = store.read(KEY);
  const program = await store.load(KEY);
  assert.deepEqual(program, read);
  assert.deepEqual(program?.env, CONFIG.env);
  assert.equal(program.net, undefined);
  assert.deepEqual(program.files, ["0.mjs", INDEX_FILE]);
  assert.equal(await sourceOf(store, KEY), "first");
  assert.equal(store.totals("acme").entries, 1);
  for await (const path of filesIn(trials.dir)) {
    const text = await Deno.readTextFile(path);
    assert.ok(!text.includes(SECRET) && !path.includes("acme"), path);
  }
});

Deno.test("what is damaged, or another's, is as if it were not there", async () => {
  await using trials = await trial();
  let entry = "";
  let other = "";
  {
    await using store = await trials.open();
    await store.add(KEY, modules("code"), CONFIG);
    await store.add("acme/other", modules("other"), CONFIG);
    entry = join(store.filePath(KEY, "0.mjs"), "..", "..");
    other = join(store.filePath("acme/other", "0.mjs"), "..", "..");
  }
  const damages: Record<string, () => Promise<void>> = {
    "a byte of a source": () => overwrite(join(entry, "modules", "0.mjs"), "c0de"),
    "a source cut off": () => overwrite(join(entry, "modules", "0.mjs"), "co"),
    "a source gone": () => Deno.remove(join(entry, "modules", "0.mjs")),
    "an empty program": () => overwrite(join(entry, "program"), ""),
    "another's program": () => Deno.copyFile(join(other, "program"), join(entry, "program")),
    "no program": () => Deno.remove(join(entry, "program")),
  };
  for (const [what, damage] of Object.entries(damages)) {
    await damage();
    await using store = await trials.open();
    assert.equal(await store.load(KEY), undefined, what);
    await store.add(KEY, modules("code"), CONFIG);
    assert.equal(await sourceOf(store, KEY), "code", what);
  }
});

async function overwrite(path: string, text: string): Promise<void> {
  await Deno.remove(path);
  await Deno.writeTextFile(path, text);
}

Deno.test("what was not used for longest goes first, and nothing else", async () => {
  await using trials = await trial();
  const keys = Array.from({ length: 40 }, (_, at) => `acme/${at}`);
  {
    await using store = await trials.open({ maxEntries: 20 });
    for (const key of keys) {
      await store.add(key, modules(key), CONFIG);
      assert.ok(store.remembered("acme/0") !== undefined);
    }
  }
  await using store = await trials.open();
  const kept = [];
  for (const key of keys) if (await store.load(key) !== undefined) kept.push(key);
  assert.deepEqual(kept, ["acme/0", ...keys.slice(21)]);
  const programs = (await Array.fromAsync(filesIn(trials.dir))).filter((path) => path.endsWith("/program"));
  assert.equal(programs.length, 20);
});

Deno.test("bytes are bounded, whatever they are of; who has a hard link keeps it", async () => {
  await using trials = await trial();
  const link = join(trials.dir, "link");
  {
    await using store = await trials.open({ maxBytes: 10_000 });
    await store.add(KEY, modules("code"), CONFIG);
    await Deno.link(store.filePath(KEY, "0.mjs"), link);
    const size = 9_000;
    const fetch = (path: string) => Deno.writeFile(path, new Uint8Array(size));
    await store.addBlob("acme/d-2", { hash: "h", size }, fetch);
    assert.equal((await store.blob("acme/d-2", { hash: "h", size }))?.endsWith("h"), false);
    await store.addBlob("acme/d-3", { hash: "h", size }, fetch);
  }
  await using store = await trials.open();
  assert.deepEqual(store.totals("acme"), { entries: 1, bytes: 9_000 });
  assert.equal(await store.load(KEY), undefined);
  assert.equal(await store.blob("acme/d-2", { hash: "h", size: 9_000 }), undefined);
  assert.ok(await store.blob("acme/d-3", { hash: "h", size: 9_000 }));
  assert.equal(await Deno.readTextFile(link), "code");
});

Deno.test("whoever has most makes room, however much it asks for", async () => {
  await using trials = await trial();
  await using store = await trials.open({ maxEntries: 10 });
  const own = ["quiet/1", "quiet/2", "quiet/3"];
  for (const key of own) await store.add(key, modules(key), CONFIG);
  for (let at = 0; at < 50; at++) await store.add(`loud/${at}`, modules("loud"), CONFIG);
  for (const key of own) assert.ok(await store.load(key) !== undefined, key);
  assert.equal(store.totals("quiet").entries, 3);
  assert.ok(store.remembered("loud/49") !== undefined);
});

Deno.test("two servers keep the same things at once", async () => {
  await using trials = await trial();
  await using first = await trials.open();
  await using second = await trials.open();
  const keys = Array.from({ length: 20 }, (_, at) => `acme/${at}`);
  const add = (store: ContentStore, code: string) =>
    Promise.all(keys.map((key) => store.add(key, modules(code), CONFIG)));
  await Promise.all([add(first, "first"), add(second, "second")]);
  for (const key of keys) {
    assert.ok(await first.load(key) !== undefined && await second.load(key) !== undefined);
    assert.match(await sourceOf(first, key), /^(first|second)$/);
  }
  assert.equal(first.totals("acme").entries, keys.length);
});

Deno.test("a tree of files is kept, and a damaged one is none", async () => {
  await using trials = await trial();
  const tree: FileTree = new Map([
    ["", { kind: "directory" }],
    ["/ü\n.txt", { kind: "file", size: 3, hash: "blob-1" }],
    ["/link", { kind: "symlink", target: "ü\n.txt" }],
  ]);
  let path = "";
  {
    await using store = await trials.open();
    await store.addTree(KEY, tree);
    path = join(store.filePath(KEY, "x"), "..", "..", "tree");
  }
  {
    await using store = await trials.open();
    assert.deepEqual(await store.tree(KEY), tree);
    assert.equal(await store.load(KEY), undefined);
    await store.add(KEY, modules("code"), CONFIG); // Beside the tree, there is a program from now on.
    assert.ok(await store.load(KEY) !== undefined);
    await store.addTree(KEY, tree);
  }
  const whole = await Deno.readTextFile(path);
  for (const damaged of ["", whole.slice(0, -4), whole.replace('"size":3', '"size":4'), whole.slice(0, 65)]) {
    await overwrite(path, damaged);
    await using store = await trials.open();
    assert.equal(await store.tree(KEY), undefined);
  }
});

Deno.test("content that cannot be read any more is begun anew", async () => {
  await using trials = await trial();
  {
    await using store = await trials.open();
    await store.add(KEY, modules("code"), CONFIG);
  }
  for (const suffix of ["", "-wal", "-shm"]) {
    await Deno.remove(join(trials.dir, `index.db${suffix}`)).catch(() => {});
  }
  await Deno.writeTextFile(join(trials.dir, "index.db"), "this is no database".repeat(1000));
  await using store = await trials.open();
  assert.equal(await store.load(KEY), undefined);
  await store.add(KEY, modules("code"), CONFIG);
  assert.ok(await store.load(KEY) !== undefined);
});
