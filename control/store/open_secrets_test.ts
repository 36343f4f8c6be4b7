import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase } from "./database.ts";
import { MIGRATIONS } from "./migrations.ts";
import { openStore } from "./store.ts";
import { PLAIN_DEPLOYMENT } from "./testing/plain_deployment.ts";

async function inTempDir(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-secrets-" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What of a text is in the files of a database. */
async function isOnDisk(dir: string, text: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(dir)) {
    if (!name.startsWith("isola.db")) continue;
    const bytes = new TextDecoder("latin1").decode(await Deno.readFile(join(dir, name)));
    if (bytes.includes(text)) return true;
  }
  return false;
}

Deno.test("a key is made once, readable by its owner alone, and is needed from then on", () =>
  inTempDir(async (dir) => {
    const keyFile = join(dir, "secret.key");
    {
      using store = await openStore(dir);
      assert.equal((await Deno.stat(keyFile)).mode! & 0o777, 0o600);
      assert.equal(store.secrets.open(store.secrets.seal("x", "y"), "y"), "x");
    }
    const key = await Deno.readTextFile(keyFile);
    (await openStore(dir)).close();
    assert.equal(await Deno.readTextFile(keyFile), key);
    assert.deepEqual((await Array.fromAsync(Deno.readDir(dir), ({ name }) => name)).toSorted(), [
      "blobs",
      "isola.db",
      "lock",
      "secret.key",
    ]);
  }));

Deno.test("a key that is lost, another one, and what is none are refused with what to do; none is made in its place", () =>
  inTempDir(async (dir) => {
    (await openStore(dir)).close();
    const keyFile = join(dir, "secret.key");
    const key = await Deno.readTextFile(keyFile);
    const todo = "Put that key back, as it was backed up, or name its file with ISOLA_SECRET_KEY_FILE: " +
      "no other can read what is there";
    await Deno.remove(keyFile);
    for (let attempt = 0; attempt < 2; attempt++) {
      await assert.rejects(openStore(dir), {
        code: "secretKey",
        message:
          `Cannot open the state: there is no "${keyFile}", the key that its secrets were sealed with. ${todo}`,
      });
    }
    await Deno.writeTextFile(keyFile, new Uint8Array(32).toBase64(), { mode: 0o600 });
    await assert.rejects(openStore(dir), {
      code: "secretKey",
      message:
        `Cannot open the state: "${keyFile}" is not the key that its secrets were sealed with. ${todo}`,
    });
    await Deno.writeTextFile(keyFile, "hunter2");
    await assert.rejects(openStore(dir), {
      code: "secretKey",
      message:
        `Cannot open the state: Cannot use "${keyFile}" as the key of secrets: must be 32 bytes in base64`,
    });
    await Deno.writeTextFile(keyFile, key);
    (await openStore(dir)).close();
  }));

Deno.test("the key may be elsewhere, also one of the operator's", () =>
  inTempDir(async (dir) => {
    const secretKeyFile = join(dir, "operators.key");
    await Deno.writeTextFile(secretKeyFile, new Uint8Array(32).fill(255).toBase64(), { mode: 0o600 });
    const dataDir = join(dir, "data");
    (await openStore(dataDir, { secretKeyFile })).close();
    await assert.rejects(Deno.stat(join(dataDir, "secret.key")), Deno.errors.NotFound);
    await assert.rejects(openStore(dataDir), { code: "secretKey" });
    (await openStore(dataDir, { secretKeyFile })).close();
    await assert.rejects(openStore(join(dir, "other"), { secretKeyFile: join(dir, "none", "key") }), {
      code: "secretKey",
      message: /^Cannot make the key of secrets "[^"]+\/none\/key": No such file/,
    });
  }));

Deno.test("an operator is told that others can read the key", () =>
  inTempDir(async (dir) => {
    (await openStore(dir)).close();
    await Deno.chmod(join(dir, "secret.key"), 0o644);
    const said: string[] = [];
    const original = console.error;
    console.error = (text: string) => said.push(text);
    try {
      (await openStore(dir)).close();
    } finally {
      console.error = original;
    }
    assert.deepEqual(said, [
      `The key of secrets can be read by other users of this machine: chmod 600 "${join(dir, "secret.key")}"`,
    ]);
  }));

/** As a version left it that sealed nothing, with `MARKER-…` wherever a secret may be. */
function writeOldState(dir: string): void {
  using old = openDatabase(join(dir, "isola.db"), { migrations: MIGRATIONS.slice(0, 4), durability: "full" });
  old.execute(`
    INSERT INTO organizations VALUES ('o', 'default', '', '');
    INSERT INTO projects VALUES ('p', 'o', 'shop', '', NULL, '', '', 0);
    INSERT INTO domains VALUES ('a', 'o', 'a.example', 't', NULL, 'pending', NULL, '', '');
    INSERT INTO certificates VALUES
      ('c', 'a', '["a.example"]', 'chain', 'MARKER-certificate', 'acme', 'ec', '', '', '', ''),
      ('gone', NULL, '["b.example"]', 'chain', 'MARKER-gone', 'acme', 'ec', '', '', '', '');
    INSERT INTO acme_accounts VALUES ('https://acme.example', 'https://acme.example/1', 'MARKER-account', '');
  `);
  old.run(
    `INSERT INTO deployments
     WITH RECURSIVE ids (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM ids WHERE n < 450)
     SELECT n, 'd' || n, 'p', 'success', '', '{}', json_object('SECRET', 'MARKER-' || n), NULL, '{}', NULL, NULL, '', ''
     FROM ids`,
  );
  old.run("DELETE FROM certificates WHERE id = 'gone'");
}

Deno.test("what an earlier version left plain is sealed at the next start, also what it had deleted", () =>
  inTempDir(async (dir) => {
    writeOldState(dir);
    assert(await isOnDisk(dir, "MARKER-gone"));
    using store = await openStore(dir);
    assert.equal(await isOnDisk(dir, "MARKER-"), false);
    assert.equal(store.certificates.all()[0]!.privateKey, "MARKER-certificate");
    assert.equal(store.acmeAccounts.get("https://acme.example")!.privateKey, "MARKER-account");
    for (const n of [1, 200, 201, 450]) {
      const { env, projectEnv } = store.deployments.get(`d${n}`)!;
      assert.deepEqual([env, projectEnv], [{ SECRET: `MARKER-${n}` }, {}]);
    }
  }));

Deno.test("what a server reads that is being replaced stays as it is until the next start", () =>
  inTempDir(async (dir) => {
    writeOldState(dir);
    {
      using store = await openStore(dir, { takesOver: true });
      assert.equal(await isOnDisk(dir, "MARKER-450"), true);
      assert.equal(store.certificates.all()[0]!.privateKey, "MARKER-certificate");
      assert.equal(store.acmeAccounts.get("https://acme.example")!.privateKey, "MARKER-account");
      assert.deepEqual(store.deployments.get("d450")!.env, { SECRET: "MARKER-450" });
    }
    using store = await openStore(dir, { takesOver: true });
    assert.equal(await isOnDisk(dir, "MARKER-"), false);
    assert.deepEqual(store.deployments.get("d450")!.env, { SECRET: "MARKER-450" });
  }));

Deno.test("sealing that was cut off goes on at the next start", () =>
  inTempDir(async (dir) => {
    writeOldState(dir);
    (await openStore(dir)).close();
    {
      using database = openDatabase(join(dir, "isola.db"), { migrations: MIGRATIONS, durability: "full" });
      database.run(`UPDATE deployments SET env = '{"SECRET":"MARKER-again"}' WHERE seq > 300`);
      database.run("UPDATE sealing SET plain = 1");
    }
    using store = await openStore(dir);
    assert.equal(await isOnDisk(dir, "MARKER-"), false);
    assert.deepEqual(store.deployments.get("d300")!.env, { SECRET: "MARKER-300" });
    assert.deepEqual(store.deployments.get("d301")!.env, { SECRET: "MARKER-again" });
  }));

Deno.test("nothing secret is in the database's files, and what is deleted is overwritten there", () =>
  inTempDir(async (dir) => {
    using store = await openStore(dir);
    const organizationId = store.organizations.first().id;
    const { id: projectId } = store.projects.create({ organizationId, name: "shop", description: "" });
    const contexts = ["production", "preview"] as const;
    store.variables.change(projectId, [{ name: "A", value: "MARKER-variable", contexts }]);
    const { id } = store.deployments.create({
      ...PLAIN_DEPLOYMENT,
      projectId,
      description: "MARKED-deployment",
      env: { B: "MARKER-deployment" },
      projectEnv: store.variables.resolve(projectId, "preview"),
    });
    const material = {
      names: ["a"],
      chain: "",
      privateKey: "MARKER-certificate",
      cipher: "ec" as const,
      notBefore: "",
      expiresAt: "",
    };
    store.certificates.put({ material, domainId: null, source: "acme" });
    store.acmeAccounts.put({ directory: "d", url: "u", privateKey: "MARKER-account" });
    assert.deepEqual(store.deployments.get(id)!.projectEnv, { A: "MARKER-variable" });
    assert.equal(await isOnDisk(dir, "MARKER-"), false);
    assert.equal(await isOnDisk(dir, "MARKED-"), true);
    store.deployments.delete(id);
    store.database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    assert.equal(await isOnDisk(dir, "MARKED-"), false);
  }));
