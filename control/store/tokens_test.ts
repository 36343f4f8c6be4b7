import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { MIGRATIONS } from "./migrations.ts";
import { openStore, type Store } from "./store.ts";

const LIST = { page: 1, limit: 100, q: null, sort: "created_at", order: "asc" } as const;

async function withStore(work: (store: Store, dir: string) => void | Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-tokens-" });
  try {
    using store = await openStore(dir);
    await work(store, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("the administrator's token is generated once, kept as a hash, and replaced by a given one", async () => {
  await withStore(async (store, dir) => {
    const { tokens } = store;
    const stateOf = (text: string) => tokens.authenticate(text).state;
    const generated = tokens.ensureAdmin(null);
    assert.match(generated!, /^isola_[\w-]{43}$/);
    assert.equal(tokens.ensureAdmin(null), null);
    const accepted = tokens.authenticate(generated!);
    assert.ok(accepted.state === "accepted");
    const { tokenId: _, ...principal } = accepted.principal;
    assert.deepEqual(principal, { name: "admin", role: "admin", organizationId: null, projectId: null });
    assert.equal(stateOf(generated!.slice(0, -1)), "unknown");
    assert.equal(stateOf(""), "unknown");

    assert.equal(tokens.ensureAdmin("one-of-mine"), null);
    assert.equal(stateOf(generated!), "unknown");
    assert.equal(stateOf("one-of-mine"), "accepted");
    const [{ id } = { id: "" }] = tokens.list({ organizationId: null, projectId: null }, LIST).items;
    assert.equal(tokens.ensureAdmin("one-of-mine"), null);
    assert.equal(tokens.get(id)?.name, "admin", "the same token keeps its id");
    assert.equal(tokens.ensureAdmin(null), null);
    assert.equal(stateOf("one-of-mine"), "accepted");

    for await (const { name, isFile } of Deno.readDir(dir)) {
      if (!isFile) continue;
      const bytes = await Deno.readFile(`${dir}/${name}`);
      assert.ok(!new TextDecoder("latin1").decode(bytes).includes("one-of-mine"), name);
    }
  });
});

Deno.test("a token that has expired or was revoked is told from one that never was", async () => {
  await withStore(({ tokens, organizations }) => {
    const organizationId = organizations.first().id;
    const make = (name: string, expiresAt: string | null = null) =>
      tokens.create({ name, role: "write", organizationId, projectId: null, expiresAt });
    const past = new Date(Date.now() - 1000).toISOString();
    const expired = make("old", past);
    assert.deepEqual(tokens.authenticate(expired.text), { state: "expired", name: "old", at: past });
    const lasting = make("ci", new Date(Date.now() + 60_000).toISOString());
    assert.equal(tokens.authenticate(lasting.text).state, "accepted");
    assert.ok(tokens.revoke(lasting.token.id));
    assert.equal(tokens.authenticate(lasting.text).state, "revoked");
    assert.equal(tokens.revoke(lasting.token.id), false);
    assert.deepEqual(
      tokens.list({ organizationId, projectId: null }, LIST).items.map(({ name }) => name),
      ["old"],
    );
    assert.throws(() => make("old"), { code: "tokenNameTaken" });
    make("ci");
  });
});

Deno.test("the last use of a token is known at once and survives", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-tokens-" });
  try {
    let id: string;
    {
      using store = await openStore(dir);
      const given = {
        name: "a",
        role: "admin",
        organizationId: null,
        projectId: null,
        expiresAt: null,
      } as const;
      const { token, text } = store.tokens.create(given);
      assert.equal(token.lastUsedAt, null);
      store.tokens.authenticate(text);
      id = token.id;
      assert.ok(Math.abs(Date.parse(store.tokens.get(id)!.lastUsedAt!) - Date.now()) < 10_000);
    }
    using store = await openStore(dir);
    assert.notEqual(store.tokens.get(id)!.lastUsedAt, null);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("somebody can always manage the machine", async () => {
  await withStore(({ tokens }) => {
    tokens.ensureAdmin("first-token");
    const list = () => tokens.list({ organizationId: null, projectId: null }, LIST).items;
    assert.throws(() => tokens.revoke(list()[0]!.id), { code: "lastAdmin" });
    const machine = { role: "admin", organizationId: null, projectId: null } as const;
    tokens.create({ ...machine, name: "short", expiresAt: new Date(Date.now() - 1).toISOString() });
    assert.throws(() => tokens.revoke(list()[0]!.id), { code: "lastAdmin" });
    tokens.create({ ...machine, name: "second", expiresAt: null });
    assert.ok(tokens.revoke(list()[0]!.id));
    assert.equal(tokens.authenticate("first-token").state, "revoked");
    tokens.ensureAdmin("first-token");
    assert.equal(tokens.authenticate("first-token").state, "accepted", "the operator's word is the last");
  });
});

Deno.test("tokens and organizations from before there were roles keep what they could do", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-tokens-" });
  try {
    const hash = (text: string) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    {
      using before = new DatabaseSync(`${dir}/isola.db`);
      before.exec("CREATE TABLE migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL) STRICT");
      for (const [index, sql] of MIGRATIONS.slice(0, 5).entries()) {
        before.exec(sql);
        before.prepare("INSERT INTO migrations VALUES (?, '')").run(index + 1);
      }
      before.exec("INSERT INTO organizations VALUES ('o1', 'default', '2026', '2026')");
      const insert = before.prepare("INSERT INTO tokens VALUES (?, 'o1', ?, ?, '2026')");
      for (const name of ["admin", "other"]) insert.run(`id-${name}`, name, new Uint8Array(await hash(name)));
    }
    using store = await openStore(dir);
    assert.deepEqual(store.tokens.authenticate("admin"), {
      state: "accepted",
      principal: { tokenId: "id-admin", name: "admin", role: "admin", organizationId: null, projectId: null },
    });
    assert.deepEqual(store.tokens.authenticate("other"), {
      state: "accepted",
      principal: { tokenId: "id-other", name: "other", role: "write", organizationId: "o1", projectId: null },
    });
    assert.equal(store.organizations.first().id, "o1");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
