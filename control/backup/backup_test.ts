import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openStore, type Store } from "../store/mod.ts";
import { restoreBackup } from "./restore_backup.ts";
import { writeBackup } from "./write_backup.ts";
import { PLAIN_DEPLOYMENT } from "../store/testing/plain_deployment.ts";

const never = new AbortController().signal;

async function withDirs(test: (dataDir: string, other: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-backup-" });
  try {
    const [dataDir, other] = [join(dir, "data"), join(dir, "restored")];
    await Deno.mkdir(dataDir);
    await test(dataDir, other);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Records a deployment with one file and a variable. Returns its id. */
async function deploy(store: Store, text: string): Promise<string> {
  const { id: organizationId } = store.organizations.first();
  const project = store.projects.getByName("shop") ??
    store.projects.create({ organizationId, name: "shop", description: "" });
  const { sha256, size } = await store.blobs.put(new TextEncoder().encode(text));
  return store.deployments.create({
    ...PLAIN_DEPLOYMENT,
    projectId: project.id,
    files: { "main.ts": { kind: "file", sha256, size } },
    env: { SECRET: text },
  }).id;
}

async function back(dataDir: string): Promise<Uint8Array<ArrayBuffer>> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>();
  const secretKeyFile = join(dataDir, "secret.key");
  const [bytes] = await Promise.all([
    new Response(readable).bytes(),
    writeBackup(writable, { dataDir, version: "1.2.3", secretKeyFile, logs: false, signal: never }),
  ]);
  return bytes;
}

const streamOf = (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes]).stream();

Deno.test("what is backed up while the server writes on is restored as of one moment, contents and secrets with it", () =>
  withDirs(async (dataDir, other) => {
    using store = await openStore(dataDir);
    const id = await deploy(store, "one");
    await store.blobs.put(new TextEncoder().encode("named by nobody"));
    await Deno.mkdir(join(dataDir, "ca"));
    await Deno.writeTextFile(join(dataDir, "ca", "key.pem"), "a key");
    let writing = true;
    const writer = (async () => {
      let written = 0;
      for (; writing; written++) await deploy(store, `more ${written}`);
      return written;
    })();
    const bytes = await back(dataDir);
    writing = false;
    assert.ok(await writer > 0);
    const { header, hasKey } = await restoreBackup(streamOf(bytes), other, never);
    assert.equal(header.version, "1.2.3");
    assert.ok(hasKey);
    using restored = await openStore(other);
    assert.deepEqual(restored.deployments.get(id), store.deployments.get(id));
    assert.equal(await Deno.readTextFile(join(other, "ca", "key.pem")), "a key");
    for (const deploymentId of restored.deployments.ids(restored.projects.getByName("shop")!.id)) {
      for (const file of Object.values(restored.deployments.snapshot(deploymentId)!.files)) {
        assert.equal(file.kind, "file");
        await Deno.stat(restored.blobs.path(file.sha256));
      }
    }
    assert.deepEqual([...Deno.readDirSync(other)].filter(({ name }) => name.startsWith("restore")), []);
  }));

Deno.test("a directory with state is never restored into", () =>
  withDirs(async (dataDir) => {
    using store = await openStore(dataDir);
    const id = await deploy(store, "mine");
    const bytes = await back(dataDir);
    await assert.rejects(restoreBackup(streamOf(bytes), dataDir, never), /has a "[^"]+" already/);
    assert.equal(store.deployments.get(id)?.id, id);
  }));

Deno.test("a restore that was killed on the way is begun again, and one at a time", () =>
  withDirs(async (dataDir, other) => {
    using store = await openStore(dataDir);
    const id = await deploy(store, "one");
    const bytes = await back(dataDir);
    await Deno.mkdir(join(other, "restore", "blobs"), { recursive: true });
    await Deno.mkdir(join(other, "blobs", "ab"), { recursive: true });
    await Deno.writeTextFile(join(other, "secret.key"), "of the one that was killed");
    {
      using lock = await Deno.open(join(other, "restore"));
      await lock.lock(true);
      await assert.rejects(restoreBackup(streamOf(bytes), other, never), /another restore is under way/);
    }
    await restoreBackup(streamOf(bytes), other, never);
    using restored = await openStore(other);
    assert.deepEqual(restored.deployments.get(id), store.deployments.get(id));
  }));

Deno.test("a backup that is damaged, cut off or none is refused, and leaves nothing", () =>
  withDirs(async (dataDir, other) => {
    using store = await openStore(dataDir);
    await deploy(store, "content that is somewhere in the archive");
    const bytes = await back(dataDir);
    const text = new TextDecoder("latin1").decode(bytes);
    const changed = bytes.slice();
    changed[text.indexOf("content that is somewhere")]! ^= 1;
    const renamed = bytes.slice();
    renamed.set(new TextEncoder().encode("../etc/a"), text.indexOf("isola.db"));
    for (
      const wrong of [
        changed,
        renamed,
        bytes.slice(0, bytes.length / 2),
        bytes.slice(0, 10),
        new Uint8Array(),
      ]
    ) {
      await assert.rejects(restoreBackup(streamOf(wrong), other, never), Error);
      assert.deepEqual([...Deno.readDirSync(other)], []);
    }
  }));

Deno.test("one backup at a time; what a killed one has left is removed", () =>
  withDirs(async (dataDir, other) => {
    using store = await openStore(dataDir);
    await deploy(store, "one");
    await Deno.mkdir(join(dataDir, "backup", "state"), { recursive: true });
    await Deno.writeTextFile(join(dataDir, "backup", "state", "left"), "");
    const { readable, writable } = new TransformStream<Uint8Array>();
    const first = writeBackup(writable, {
      dataDir,
      version: "1",
      secretKeyFile: null,
      logs: false,
      signal: never,
    });
    const reader = readable.getReader();
    assert.ok((await reader.read()).value);
    await assert.rejects(back(dataDir), /another backup is under way/);
    await reader.cancel();
    await assert.rejects(first);
    await restoreBackup(streamOf(await back(dataDir)), other, never);
    assert.deepEqual([...Deno.readDirSync(join(dataDir, "backup"))].map(({ name }) => name), ["lock"]);
  }));

Deno.test("a reader that takes its time holds up no writer, and sees one moment", () =>
  withDirs(async (dataDir) => {
    using store = await openStore(dataDir);
    await deploy(store, "before");
    using reader = new DatabaseSync(join(dataDir, "isola.db"), { readOnly: true });
    const rows = reader.prepare("SELECT id FROM deployments").iterate();
    rows.next();
    const startedAt = performance.now();
    const id = await deploy(store, "meanwhile");
    assert.ok(performance.now() - startedAt < 4000, "less than a writer waits for a lock");
    assert.equal([...rows].some((row) => row.id === id), false);
  }));

Deno.test("a directory without state is not backed up, and named", () =>
  withDirs((dataDir) =>
    assert.rejects(back(dataDir), /there is no state\. Name the server's directory with --data-dir/)
  ));
