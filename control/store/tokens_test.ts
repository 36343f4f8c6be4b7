import assert from "node:assert/strict";
import { openStore } from "./store.ts";

Deno.test("the administrator's token is generated once, kept as a hash, and replaced by a given one", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-tokens-" });
  try {
    using store = await openStore(dir);
    const { id } = store.organizations.first();
    const generated = store.tokens.ensureAdmin(id, null);
    assert.match(generated!, /^isola_[\w-]{43}$/);
    assert.equal(store.tokens.ensureAdmin(id, null), null);
    assert.equal(store.tokens.authenticate(generated!)?.organizationId, id);
    assert.equal(store.tokens.authenticate(generated!.slice(0, -1)), null);
    assert.equal(store.tokens.authenticate(""), null);

    assert.equal(store.tokens.ensureAdmin(id, "one-of-mine"), null);
    assert.equal(store.tokens.authenticate(generated!), null);
    assert.equal(store.tokens.authenticate("one-of-mine")?.organizationId, id);
    assert.equal(store.tokens.ensureAdmin(id, null), null);
    assert.equal(store.tokens.authenticate("one-of-mine")?.organizationId, id);

    for await (const { name, isFile } of Deno.readDir(dir)) {
      if (!isFile) continue;
      const bytes = await Deno.readFile(`${dir}/${name}`);
      assert.ok(!new TextDecoder("latin1").decode(bytes).includes("one-of-mine"), name);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
