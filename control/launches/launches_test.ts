import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Launches } from "./launches.ts";
import { DEFAULT_LIMITS, type Image, type Manifest } from "../model.ts";
import { openStore, type Store } from "../store/mod.ts";
import { PLAIN_DEPLOYMENT } from "../store/testing/plain_deployment.ts";

/** Enough to be kept for the next isolate. */
const MANY = 1000;
const IMAGE: Image = { mode: "bundle", entry: "main.js", files: {} };

/** A store with a deployment of many files, and directories as sandboxes' keepers make and remove them. */
class Bench implements AsyncDisposable {
  readonly #dir: string;
  readonly store: Store;
  readonly launches: Launches;
  #nextSandbox = 0;

  private constructor(dir: string, store: Store) {
    this.#dir = dir;
    this.store = store;
    const treesDir = join(dir, "run", "trees");
    this.launches = new Launches({
      store,
      region: "test",
      limits: DEFAULT_LIMITS,
      isolation: "shared",
      treesDir,
    });
  }

  static async open(): Promise<Bench> {
    const dir = await Deno.makeTempDir({ prefix: "isola-launches-" });
    return new Bench(dir, await openStore(dir));
  }

  /** A pending deployment. */
  async create(name: string): Promise<string> {
    const { store } = this;
    const organizationId = store.organizations.first().id;
    const projectId = store.projects.create({ organizationId, name, description: "" }).id;
    const { sha256, size } = await store.blobs.put(new TextEncoder().encode("export default 1;"));
    const files: Manifest = {};
    for (let n = 0; n < MANY; n++) files[`lib/d${n % 10}/f${n}.js`] = { kind: "file", sha256, size };
    return store.deployments.create({
      ...PLAIN_DEPLOYMENT,
      projectId,
      files,
      source: { entrypoint: "main.js", importMap: null, lockFile: null, compilerOptions: null },
    }).id;
  }

  /** One isolate's life. Returns the inode of its `lib`, which tells whether that was made anew. */
  async live(deploymentId: string, meanwhile = () => {}): Promise<number> {
    const { populate, reclaim } = this.launches.get(deploymentId);
    const dir = join(this.#dir, "run", String(this.#nextSandbox++));
    await Deno.mkdir(dir, { recursive: true });
    await populate(dir);
    const files = [...Deno.readDirSync(join(dir, "lib", "d7"))];
    assert.equal(files.length, MANY / 10);
    const { ino } = await Deno.stat(join(dir, "lib"));
    meanwhile();
    await reclaim!(dir);
    await Deno.remove(dir, { recursive: true });
    return ino!;
  }

  get kept(): number {
    const trees = join(this.#dir, "run", "trees");
    return existsSync(trees) ? [...Deno.readDirSync(trees)].length : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.store.close();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

Deno.test("What the trial of a build laid out is the first isolate's, and the next one's", async () => {
  await using bench = await Bench.open();
  const id = await bench.create("shop");
  let trial = 0;
  await bench.launches.withImage(id, IMAGE, async () => void (trial = await bench.live(id)));
  bench.store.deployments.finish(id, { status: "success", image: IMAGE });
  assert.equal(await bench.live(id), trial);
  assert.equal(await bench.live(id), trial);
  assert.equal(bench.kept, 1);
});

Deno.test("Nothing is kept of a deployment that is deleted, or for long of one whose build failed", async (t) => {
  await using bench = await Bench.open();
  const [failed, deleted] = [await bench.create("first"), await bench.create("second")];
  await t.step("an isolate that ends after the deletion leaves nothing", async () => {
    const id = await bench.create("third");
    bench.store.deployments.finish(id, { status: "success", image: IMAGE });
    await bench.live(id, () => void bench.store.deployments.delete(id));
    assert.equal(bench.kept, 0);
  });
  await t.step("what is kept goes when routes change", async () => {
    await bench.launches.withImage(failed, IMAGE, async () => void await bench.live(failed));
    bench.store.deployments.finish(failed, { status: "failed" });
    bench.store.deployments.finish(deleted, { status: "success", image: IMAGE });
    await bench.live(deleted);
    bench.store.deployments.delete(deleted);
    await waitFor(() => bench.kept === 0);
  });
});

Deno.test("A deployment of an untrusted project is not started where isolates share a process", async () => {
  await using bench = await Bench.open();
  const { store, launches } = bench;
  const id = await bench.create("first");
  store.deployments.finish(id, { status: "success", image: IMAGE });
  const { projectId } = store.deployments.get(id)!;
  assert.equal(launches.get(id).env.ISOLA_PROJECT, "first");
  store.projects.update(projectId, { untrusted: true });
  assert.throws(
    () => launches.get(id),
    /its project is untrusted, and isolates of this server share a process/,
  );
  store.projects.update(projectId, { untrusted: false });
  assert.ok(launches.get(id));
});

Deno.test("A launch is read again when something of its project changes, and only then", async () => {
  await using bench = await Bench.open();
  const { store, launches } = bench;
  const [id, other] = [await bench.create("first"), await bench.create("second")];
  for (const each of [id, other]) store.deployments.finish(each, { status: "success", image: IMAGE });
  const launch = launches.get(id);
  assert.deepEqual(launch.image, { entry: "main.js", config: undefined });
  store.hostnames.attach(other, "shop.example.com");
  store.deployments.delete(other);
  assert.equal(launches.get(id), launch);
  store.projects.update(store.deployments.get(id)!.projectId, { name: "renamed" });
  assert.equal(launches.get(id).env.ISOLA_PROJECT, "renamed");
});

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
