import assert from "node:assert/strict";
import { DEFAULT_SETTINGS } from "../git/deploy_commit.ts";
import { openStore } from "./mod.ts";

const SETTINGS = { ...DEFAULT_SETTINGS, url: "https://git.example.com/ada/shop" };

async function linked() {
  const dir = await Deno.makeTempDir({ prefix: "isola-git-links-" });
  const store = await openStore(dir);
  const organizationId = store.organizations.first().id;
  const { id } = store.projects.create({ organizationId, name: "shop", description: "" });
  store.gitLinks.put(id, SETTINGS, { username: "ada", token: "t0ken" });
  return {
    id,
    store,
    links: store.gitLinks,
    async [Symbol.asyncDispose]() {
      store.close();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

Deno.test("the deliveries of a project are remembered up to a bound", async () => {
  await using place = await linked();
  const { id, links, store } = place;
  store.database.transaction(() => {
    for (let index = 0; index < 1005; index++) assert.equal(links.accept(id, `digest ${index}`), true);
  });
  assert.equal(links.accept(id, "digest 1004"), false);
  assert.equal(links.accept(id, "digest 1"), true, "forgotten");
  const { count } = store.database.get<{ count: number }>("SELECT count(*) AS count FROM git_deliveries")!;
  assert.equal(count, 1000);
});

Deno.test("secrets stay with the repository that they were given for", async () => {
  await using place = await linked();
  const { id, links } = place;
  const secret = links.renewWebhookSecret(id);
  links.put(id, { ...SETTINGS, previews: false });
  assert.deepEqual(links.credential(id), { username: "ada", token: "t0ken" });
  assert.equal(links.webhookSecret(id), secret);
  links.put(id, { ...SETTINGS, url: "https://elsewhere.example.com/x" });
  assert.equal(links.credential(id), null);
  assert.equal(links.webhookSecret(id), null);
});

Deno.test("other settings make the production stale; a project that is deleted has no link", async () => {
  await using place = await linked();
  const { id, links, store } = place;
  links.put(id, { ...SETTINGS, previews: false });
  assert.equal(links.isStale(id), false);
  links.put(id, { ...SETTINGS, rootDirectory: "web" });
  assert.equal(links.isStale(id), true);
  links.refreshed(id);
  assert.equal(links.isStale(id), false);
  links.setBranch(id, { branch: "main", sha: "a", state: "deployed", deploymentId: "d", note: null });
  store.projects.delete(id);
  assert.equal(links.get(id), null);
  links.setBranch(id, { branch: "main", sha: "b", state: "deployed", deploymentId: "d", note: null });
  assert.deepEqual(links.branches(id), []);
});
