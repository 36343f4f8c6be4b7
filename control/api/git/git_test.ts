import assert from "node:assert/strict";
import { startTestApi } from "../testing/test_api.ts";

Deno.test("a project is linked to a repository; its secrets are shown once or never", async () => {
  await using api = await startTestApi();
  const id = await api.project("shop");
  const path = `/v1/projects/${id}/git`;
  assert.deepEqual([(await api.call("GET", path)).status, (await api.call("GET", path)).body.code], [
    404,
    "gitLinkNotFound",
  ]);
  const put = await api.call("PUT", path, {
    url: "https://github.com/ada/shop.git/",
    credential: { token: "ghp_secret" },
    rootDirectory: "./apps/web/",
    buildCommand: "deno task build",
  });
  assert.equal(put.status, 200);
  assert.equal(put.body.url, "https://github.com/ada/shop.git");
  assert.equal(put.body.provider, "github");
  assert.equal(put.body.rootDirectory, "apps/web");
  assert.equal(put.body.previews, true);
  assert.deepEqual(put.body.credential, { username: "oauth2" });
  assert.match(put.body.webhook.secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.deepEqual(api.looked, [id]);
  const shown = await api.call("GET", path);
  assert.equal(shown.body.webhook.secret, undefined);
  assert.ok(!JSON.stringify(shown.body).includes("ghp_secret"));
  const kept = JSON.stringify(api.store.database.get("SELECT * FROM git_links"));
  assert.ok(!kept.includes("ghp_secret") && !kept.includes(put.body.webhook.secret), "sealed");

  const patched = await api.call("PATCH", path, { previews: false, productionBranch: "live" });
  assert.equal(patched.body.buildCommand, "deno task build");
  assert.equal(patched.body.previews, false);
  assert.deepEqual(patched.body.credential, { username: "oauth2" });

  const moved = await api.call("PATCH", path, { url: "https://gitlab.com/ada/shop" });
  assert.equal(moved.body.provider, "gitlab");
  assert.equal(moved.body.credential, null, "a token goes to the repository alone that it was given for");
  assert.notEqual(moved.body.webhook.secret, undefined);
  assert.equal((await api.call("DELETE", path)).status, 200);
  assert.equal((await api.call("DELETE", path)).status, 404);
});

Deno.test("a token is not sent to another API than it was given for", async () => {
  await using api = await startTestApi();
  const path = `/v1/projects/${await api.project("shop")}/git`;
  await api.call("PUT", path, {
    url: "https://git.example.com/a/b",
    provider: "gitea",
    credential: { token: "t" },
  });
  const changed = await api.call("PATCH", path, { apiUrl: "https://elsewhere.example.com/api/v1/" });
  assert.equal(changed.body.apiUrl, "https://elsewhere.example.com/api/v1");
  assert.equal(changed.body.credential, null);
  assert.equal((await api.call("PATCH", path, { previews: false })).body.apiUrl, changed.body.apiUrl);
  assert.equal((await api.call("PATCH", path, { apiUrl: null })).body.apiUrl, null);
});

Deno.test("settings without a repository are those of commits that are pushed here", async () => {
  await using api = await startTestApi();
  const path = `/v1/projects/${await api.project("shop")}/git`;
  const { status, body } = await api.call("PATCH", path, { entrypoint: "src/app.ts" });
  assert.deepEqual([status, body.url, body.entrypoint, body.webhook], [200, null, "src/app.ts", null]);
  assert.deepEqual(api.looked, []);
  assert.equal((await api.call("POST", `${path}/sync`)).body.code, "gitLinkNotFound");
});

const REFUSED: [Record<string, unknown>, RegExp][] = [
  [{ url: "file:///etc" }, /"url": Cannot follow "file:\/\/\/etc": must be an https or http URL/],
  [{ url: "/srv/repo.git" }, /must be an https or http URL/],
  [{ url: "ext::sh -c id" }, /must be an https or http URL/],
  [{ url: "--upload-pack=id" }, /must be an https or http URL/],
  [{ url: "git@github.com:ada/shop.git" }, /ssh is not supported/],
  [{ url: "ssh://git@github.com/ada/shop" }, /over https, with a token/],
  [
    { url: "https://ada:hunter2@github.com/ada/shop" },
    /"https:\/\/…@github.com\/ada\/shop": a credential belongs/,
  ],
  [{ url: "https://github.com/" }, /must name a repository/],
  [{ url: "https://github.com/a/b?x=1" }, /must have no "\?"/],
  [{ productionBranch: "-x" }, /"productionBranch": must be the name of a branch/],
  [{ productionBranch: "a..b" }, /must be the name of a branch/],
  [{ productionBranch: "a b" }, /must be the name of a branch/],
  [{ rootDirectory: "../other" }, /"rootDirectory": must be a folder/],
  [{ entrypoint: "a/../../b.ts" }, /"entrypoint": must be a path/],
  [{ buildCommand: "a\nb" }, /"buildCommand": must be one line/],
  [{ credential: { token: "a\nb" } }, /"credential.token": must be printable/],
  [{ credential: { username: "a:b", token: "x" } }, /"credential.username": must have no ":"/],
  [{ apiUrl: "https://a@b.example.com" }, /"apiUrl": must have no credential/],
  [{ provider: "sourceforge" }, /"provider"/],
];

Deno.test("what cannot be followed is refused with words that show no credential", async () => {
  await using api = await startTestApi();
  const path = `/v1/projects/${await api.project("shop")}/git`;
  for (const [body, words] of REFUSED) {
    const answer = await api.call("PATCH", path, body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.match(answer.body.message, words);
    assert.ok(!answer.body.message.includes("hunter2"));
  }
});

Deno.test("a sync that fails says why", async () => {
  await using api = await startTestApi();
  const path = `/v1/projects/${await api.project("shop")}/git`;
  await api.call("PUT", path, { url: "https://git.example.com/a/b" });
  assert.equal((await api.call("POST", `${path}/sync`)).status, 200);
  api.syncProblem = 'Cannot read "https://git.example.com/a/b": it needs a credential';
  const { status, body } = await api.call("POST", `${path}/sync`);
  assert.deepEqual([status, body.code, body.message], [400, "syncFailed", api.syncProblem]);
});
