import assert from "node:assert/strict";
import { BlobHasher } from "./git_blob.ts";
import { takeSnapshot } from "./take_snapshot.ts";
import { TempFolder } from "./temp_folder_test.ts";

const { signal } = new AbortController();

Deno.test("a snapshot names every content as git does", async () => {
  using folder = new TempFolder({ "main.ts": "hello\n", "empty.txt": "", "big.bin": "x".repeat(300_000) });
  const { files, entrypoint, foundBy } = await takeSnapshot(folder.path, {
    entrypoint: undefined,
    hasher: new BlobHasher(),
    signal,
  });
  assert.deepEqual(files.map(({ path, sizeBytes, gitSha1 }) => [path, sizeBytes, gitSha1]), [
    ["big.bin", 300_000, "78184600f2186f035fb38be57b32552c8659bf50"],
    ["empty.txt", 0, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"],
    ["main.ts", 6, "ce013625030ba8dba906f756967f9e9ca394464a"],
  ]);
  assert.deepEqual([entrypoint, foundBy], ["main.ts", "its name"]);
});

Deno.test("a second snapshot reads only what was changed", async () => {
  using folder = new TempFolder({ "main.ts": "one", "other.ts": "same" });
  const options = { entrypoint: undefined, hasher: new BlobHasher(), signal };
  const before = await takeSnapshot(folder.path, options);
  folder.write("main.ts", "three");
  const unread = `${folder.path}/other.ts`;
  const { mtime, atime } = Deno.statSync(unread);
  Deno.writeTextFileSync(unread, "SAME");
  Deno.utimeSync(unread, atime!, mtime!);
  const after = await takeSnapshot(folder.path, options);
  assert.notEqual(after.files[0]!.gitSha1, before.files[0]!.gitSha1);
  assert.equal(after.files[1]!.gitSha1, before.files[1]!.gitSha1);
});

Deno.test("deno.json of the folder says what to deploy and where it starts", async () => {
  using folder = new TempFolder({
    "deno.jsonc": `{ "deploy": { "entrypoint": "./src/app.ts", "exclude": ["*.md"] } } // trailing`,
    "README.md": "",
    "main.ts": "",
    "src/app.ts": "",
  });
  const snapshot = await takeSnapshot(folder.path, {
    entrypoint: undefined,
    hasher: new BlobHasher(),
    signal,
  });
  assert.equal(snapshot.entrypoint, "src/app.ts");
  assert.equal(snapshot.foundBy, "deploy.entrypoint of deno.jsonc");
  assert.deepEqual(snapshot.files.map(({ path }) => path), ["deno.jsonc", "main.ts", "src/app.ts"]);
});

Deno.test("a configuration that cannot be read is named", async () => {
  const options = { entrypoint: undefined, hasher: new BlobHasher(), signal };
  using broken = new TempFolder({ "deno.json": "{", "main.ts": "" });
  await assert.rejects(takeSnapshot(broken.path, options), /^CliError: Cannot read "deno.json": /);
  using wrong = new TempFolder({ "deno.json": `{ "deploy": { "exclude": "dist" } }`, "main.ts": "" });
  await assert.rejects(
    takeSnapshot(wrong.path, options),
    /Cannot use deploy.exclude of deno.json: must be a list/,
  );
});

Deno.test("what is no folder is refused", async () => {
  using folder = new TempFolder({ "main.ts": "" });
  const options = { entrypoint: undefined, hasher: new BlobHasher(), signal };
  for (const path of [`${folder.path}/missing`, `${folder.path}/main.ts`]) {
    await assert.rejects(
      takeSnapshot(path, options),
      new RegExp(`Cannot deploy "${path}": there is no such folder`),
    );
  }
});

Deno.test("content is what the file has, whether it is read whole or streams", async () => {
  const texts = { "main.ts": "small", "large.txt": "large ".repeat(100_000) };
  using folder = new TempFolder(texts);
  const { files } = await takeSnapshot(folder.path, {
    entrypoint: undefined,
    hasher: new BlobHasher(),
    signal,
  });
  const read = await Promise.all(
    files.map(async ({ path, open }) => [path, await new Response(await open()).text()] as const),
  );
  assert.deepEqual(Object.fromEntries(read), texts);
});
