import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase } from "./database.ts";
import { MIGRATIONS } from "./migrations.ts";
import { openStore } from "./store.ts";

async function inTempDir(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-store-" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("a second store on the same data directory is refused, and told who holds it", () =>
  inTempDir(async (dir) => {
    {
      using _store = await openStore(dir);
      await assert.rejects(openStore(dir), {
        code: "locked",
        message: `Cannot open data directory "${dir}": another server holds it (process ${Deno.pid}); ` +
          `"serve --take-over" replaces it`,
      });
    }
    using again = await openStore(dir);
    assert.equal(again.pendingDeployments().length, 0);
    // Nor can another user of the machine hold it.
    for (const file of ["lock", "isola.db"]) {
      assert.equal((await Deno.stat(`${dir}/${file}`)).mode! & 0o777, 0o600);
    }
  }));

Deno.test("closing twice is harmless", () =>
  inTempDir(async (dir) => {
    const store = await openStore(dir);
    store.close();
    store.close();
  }));

Deno.test("the first organization is made once", () =>
  inTempDir(async (dir) => {
    let id: string;
    {
      using store = await openStore(dir);
      id = store.organizations.first().id;
    }
    using store = await openStore(dir);
    assert.equal(store.organizations.first().id, id);
    assert.equal(store.organizations.get(id)?.name, "default");
    assert.equal(store.organizations.get("x"), null);
  }));

Deno.test("the database is readable by its owner alone", () =>
  inTempDir(async (dir) => {
    using _store = await openStore(dir);
    for (const name of ["isola.db", "isola.db-wal", "isola.db-shm"]) {
      assert.equal((await Deno.stat(join(dir, name))).mode! & 0o777, 0o600, name);
    }
  }));

Deno.test("state of a newer version is refused", () =>
  inTempDir(async (dir) => {
    const newer = [...MIGRATIONS, "CREATE TABLE of_the_future (id INTEGER)"];
    openDatabase(join(dir, "isola.db"), { migrations: newer, durability: "full" }).close();
    await assert.rejects(openStore(dir), { name: "StoreError", code: "tooNew" });
    // The failure gave the lock back.
    await assert.rejects(openStore(dir), { code: "tooNew" });
  }));

Deno.test("state of the version that knew attachments alone keeps them", () =>
  inTempDir(async (dir) => {
    const old = openDatabase(join(dir, "isola.db"), {
      migrations: MIGRATIONS.slice(0, 3),
      durability: "full",
    });
    old.execute(`
      INSERT INTO organizations VALUES ('o', 'default', '', '');
      INSERT INTO projects VALUES ('p', 'o', 'shop', '', NULL, '', '', 0);
      INSERT INTO deployments VALUES (1, 'd', 'p', 'success', '', '{}', '{}', NULL, '{}', NULL, NULL, '', '');
      INSERT INTO domains VALUES ('shop.example.com', '{project.name}.example.com', 'd');
    `);
    old.close();
    using store = await openStore(dir);
    assert.deepEqual(store.routes().hostnames, [{ hostname: "shop.example.com", deploymentId: "d" }]);
    store.projects.update("p", { name: "store" });
    assert.deepEqual(store.hostnames.of("d"), ["store.example.com"]);
    store.deployments.delete("d");
    assert.equal(store.hostnames.target("store.example.com"), null);
  }));

Deno.test("a migration that fails leaves nothing behind and is tried again", () =>
  inTempDir((dir) => {
    const path = join(dir, "x.db");
    const first = "CREATE TABLE a (x INTEGER)";
    const broken = "CREATE TABLE b (x INTEGER); CREATE TABLE b (x INTEGER)";
    assert.throws(() => openDatabase(path, { migrations: [first, broken], durability: "full" }));
    using database = openDatabase(path, {
      migrations: [first, "CREATE TABLE b (y INTEGER)"],
      durability: "full",
    });
    assert.equal(database.run("INSERT INTO b (y) VALUES (1)"), 1);
    return Promise.resolve();
  }));

Deno.test("a transaction that throws changes nothing, also as part of another", () =>
  inTempDir((dir) => {
    using database = openDatabase(join(dir, "x.db"), {
      migrations: ["CREATE TABLE a (x INTEGER)"],
      durability: "full",
    });
    assert.throws(() =>
      database.transaction(() => {
        database.transaction(() => database.run("INSERT INTO a (x) VALUES (1)"));
        throw new Error("no");
      })
    );
    assert.deepEqual(database.all("SELECT x FROM a"), []);
    return Promise.resolve();
  }));

Deno.test("a database that is damaged is refused in words, and is not touched", () =>
  inTempDir(async (dir) => {
    const path = join(dir, "isola.db");
    const text = "no database, but something that somebody may still need. ".repeat(200);
    await Deno.writeTextFile(path, text);
    await assert.rejects(openStore(dir), {
      code: "damaged",
      message: /file is not a database\. Restore a backup/,
    });
    assert.equal(await Deno.readTextFile(path), text);
  }));
