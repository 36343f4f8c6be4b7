import assert from "node:assert/strict";
import { join } from "node:path";
import { openStore, type Store } from "./mod.ts";

/** As each released version wrote it, by the number of its last migration; all hold the same. */
const COPIES = new URL("./testing/released/", import.meta.url);
const VERSIONS = [1, 2, 3, 4];

async function withCopy(
  version: number,
  test: (store: Store, dir: string) => void | Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-released-" });
  try {
    const packed = await Deno.open(new URL(`${version}.db.gz`, COPIES));
    const path = join(dir, "isola.db");
    await Deno.writeFile(path, packed.readable.pipeThrough(new DecompressionStream("gzip")));
    using store = await openStore(dir);
    await test(store, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

for (const version of VERSIONS) {
  Deno.test(`state that was written with schema ${version} is whole with this one`, () =>
    withCopy(version, (store) => {
      const authentication = store.tokens.authenticate("token-of-then");
      assert.ok(authentication.state === "accepted");
      assert.equal(authentication.principal.role, "admin");
      const project = store.projects.getByName("shop")!;
      assert.equal(project.description, "sells");
      const record = store.deployments.get(project.productionDeploymentId!)!;
      assert.deepEqual(record.env, { GREETING: "value-of-then" });
      assert.deepEqual(record.net, ["example.com"]);
      assert.deepEqual(record.limits, { memoryMb: 64 });
      assert.equal(record.context, "production");
      assert.deepEqual(store.deployments.entry(record.id), { entry: "main.ts" });
      const [file] = Object.values(store.deployments.snapshot(record.id)!.files);
      assert.ok(file?.kind === "file" && store.blobs.has(file.sha256));
      assert.deepEqual(store.routes().hostnames, [{ hostname: "shop.example.com", deploymentId: record.id }]);
      assert.equal(store.pendingDeployments().length, 1);
    }));
}

Deno.test("what an earlier version left readable is sealed when the state is opened, and no trace of it is left", () =>
  withCopy(4, async (store, dir) => {
    const options = { page: 1, limit: 1, q: null, sort: "domain", order: "asc" } as const;
    const { id } = store.domains.list(store.organizations.first().id, options).items[0]!;
    assert.deepEqual(store.certificates.ofDomain(id).map(({ privateKey }) => privateKey), ["key-of-then"]);
    store.close();
    for (const name of ["isola.db", "isola.db-wal"]) {
      const bytes = await Deno.readFile(join(dir, name)).catch(() => new Uint8Array());
      const text = new TextDecoder("latin1").decode(bytes);
      for (const secret of ["value-of-then", "key-of-then"]) {
        assert.ok(!text.includes(secret), `${name}: ${secret}`);
      }
    }
  }));
