import assert from "node:assert/strict";
import { join } from "node:path";
import type { Manifest } from "../model.ts";
import { openStore, type Store } from "./store.ts";
import { PLAIN_DEPLOYMENT } from "./testing/plain_deployment.ts";

const encode = (text: string) => new TextEncoder().encode(text);

async function withStore(work: (store: Store, dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-blobs-" });
  try {
    using store = await openStore(dir);
    await work(store, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function filesUnder(dir: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (isDirectory) names.push(...await filesUnder(join(dir, name)));
    else names.push(name);
  }
  return names;
}

function deploy(store: Store, files: Manifest): string {
  const project = store.projects.getByName("app") ??
    store.projects.create({ organizationId: store.organizations.first().id, name: "app", description: "" });
  return store.deployments.create({
    ...PLAIN_DEPLOYMENT,
    projectId: project.id,
    files,
  }).id;
}

Deno.test("content is for everybody to read and nobody to change, whatever the server's umask is", () =>
  withStore(async (store) => {
    const umask = Deno.umask(0o077);
    try {
      const { sha256 } = await store.blobs.put(encode("hello\n"));
      assert.equal((await Deno.stat(store.blobs.path(sha256))).mode! & 0o7777, 0o444);
    } finally {
      Deno.umask(umask);
    }
  }));

Deno.test("content is stored under its SHA-256, read-only, with the hash that git gives it", () =>
  withStore(async (store) => {
    const blob = await store.blobs.put(encode("hello\n"));
    assert.deepEqual(blob, {
      sha256: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
      gitSha1: "ce013625030ba8dba906f756967f9e9ca394464a",
      size: 6,
    });
    const path = store.blobs.path(blob.sha256);
    assert.equal(await Deno.readTextFile(path), "hello\n");
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o444);
    assert.ok(store.blobs.has(blob.sha256));
    assert.equal(
      (await store.blobs.put(new Uint8Array())).gitSha1,
      "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    );
  }));

Deno.test("a stream and the same bytes are the same content, however it is cut", () =>
  withStore(async (store) => {
    const bytes = crypto.getRandomValues(new Uint8Array(50_000));
    const whole = await store.blobs.put(bytes);
    for (const size of [1, 777, 49_999]) {
      const cut = ReadableStream.from(Array.from(
        { length: Math.ceil(bytes.length / size) },
        (_, index) => bytes.subarray(index * size, (index + 1) * size),
      ));
      assert.deepEqual(await store.blobs.put(cut), whole);
    }
  }));

Deno.test("content that is not what it was announced as, or that breaks off, leaves nothing", () =>
  withStore(async (store, dir) => {
    const wrong = store.blobs.put(encode("a"), { gitSha1: "0".repeat(40) });
    await assert.rejects(wrong, { name: "StoreError", code: "hashMismatch" });
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(encode("half"));
        controller.error(new Error("gone"));
      },
    });
    await assert.rejects(store.blobs.put(broken), { message: "gone" });
    assert.deepEqual(await filesUnder(join(dir, "blobs")), []);
  }));

Deno.test("many writes at once of the same and of different contents all succeed", () =>
  withStore(async (store, dir) => {
    const texts = Array.from({ length: 100 }, (_, index) => `content ${index % 40}`);
    const blobs = await Promise.all(texts.map((text) => store.blobs.put(encode(text))));
    assert.equal(new Set(blobs.map((blob) => blob.sha256)).size, 40);
    assert.equal((await filesUnder(join(dir, "blobs"))).length, 40);
    const file = (blob: { sha256: string; size: number }) => ({ kind: "file" as const, ...blob });
    const id = deploy(store, Object.fromEntries(blobs.map((blob, index) => [`${index}`, file(blob)])));
    const { projectId } = store.deployments.get(id)!;
    const gitSha1s = [...blobs.map((blob) => blob.gitSha1), "f".repeat(40)];
    const { found, missing } = await store.blobs.byGitSha1(projectId, gitSha1s);
    assert.equal(found.size, 40);
    assert.deepEqual(missing, ["f".repeat(40)]);
    assert.equal((await store.blobs.byGitSha1(crypto.randomUUID(), gitSha1s)).found.size, 0);
  }));

Deno.test("more writes at once than the bound are refused, and none of those under way is harmed", () =>
  withStore(async (store) => {
    const gate = Promise.withResolvers<void>();
    const slow = () =>
      ReadableStream.from((async function* () {
        await gate.promise;
        yield encode("slow");
      })());
    const underWay = Array.from({ length: 256 }, () => store.blobs.put(slow()));
    await assert.rejects(store.blobs.put(encode("one more")), { code: "busy" });
    const cancelled = Promise.withResolvers<void>();
    const refused = new ReadableStream<Uint8Array>({ cancel: () => cancelled.resolve() });
    await assert.rejects(store.blobs.put(refused), { code: "busy" });
    await cancelled.promise;
    gate.resolve();
    assert.equal((await Promise.all(underWay)).length, 256);
    await store.blobs.put(encode("one more"));
  }));

Deno.test("collection deletes what no deployment names, and nothing that is named or was used of late", () =>
  withStore(async (store) => {
    const source = await store.blobs.put(encode("source"));
    const bundle = await store.blobs.put(encode("bundle"));
    const shared = await store.blobs.put(encode("shared"));
    const unused = await store.blobs.put(encode("unused"));
    const file = (blob: { sha256: string; size: number }) => ({ kind: "file" as const, ...blob });
    const first = deploy(store, { "main.ts": file(source), "a.txt": file(shared) });
    const second = deploy(store, { "a.txt": file(shared) });
    store.deployments.finish(first, {
      status: "success",
      image: { mode: "bundle", entry: ".isola/main.js", files: { ".isola/main.js": file(bundle) } },
    });

    assert.deepEqual(await store.blobs.collect(), { files: 0, bytes: 0 });
    assert.deepEqual(await store.blobs.collect({ graceMs: -1 }), { files: 1, bytes: 6 });
    await assert.rejects(Deno.stat(store.blobs.path(unused.sha256)), Deno.errors.NotFound);
    assert.ok(!store.blobs.has(unused.sha256));

    store.deployments.delete(first);
    assert.deepEqual(await store.blobs.collect({ graceMs: -1 }), { files: 2, bytes: 12 });
    assert.equal(await Deno.readTextFile(store.blobs.path(shared.sha256)), "shared");
    store.deployments.delete(second);
    assert.deepEqual(await store.blobs.collect({ graceMs: -1 }), { files: 1, bytes: 6 });
    // What was collected can be stored again.
    await store.blobs.put(encode("shared"));
    assert.equal(await Deno.readTextFile(store.blobs.path(shared.sha256)), "shared");
  }));

Deno.test("collection and writes of the same contents at the same time never lose an acknowledged one", () =>
  withStore(async (store) => {
    for (let round = 0; round < 20; round++) {
      const [blobs] = await Promise.all([
        Promise.all(Array.from({ length: 10 }, (_, index) => store.blobs.put(encode(`${index}`)))),
        store.blobs.collect({ graceMs: -1 }),
      ]);
      for (const { sha256 } of blobs) {
        const isThere = await Deno.stat(store.blobs.path(sha256)).then(() => true, () => false);
        assert.equal(isThere, store.blobs.has(sha256));
      }
    }
  }));

Deno.test("files that an earlier process left behind are removed", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-blobs-" });
  try {
    (await openStore(dir)).close();
    const half = join(dir, "blobs", "tmp", "half");
    const unrecorded = join(dir, "blobs", "ab", `ab${"0".repeat(62)}`);
    await Deno.writeTextFile(half, "x");
    await Deno.writeTextFile(unrecorded, "xy");
    using store = await openStore(dir);
    await assert.rejects(Deno.stat(half), Deno.errors.NotFound);
    assert.deepEqual(await store.blobs.collect(), { files: 0, bytes: 0 });
    await Deno.utime(unrecorded, 0, 0);
    assert.deepEqual(await store.blobs.collect(), { files: 1, bytes: 2 });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
