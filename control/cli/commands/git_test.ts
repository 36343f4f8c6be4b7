import assert from "node:assert/strict";
import { GitServer } from "../../git/testing/git_server.ts";
import { Keyboard, run, startControlPlane } from "../control_plane_test.ts";

Deno.test("git link follows a repository, shows the webhook to register, and deploys", async () => {
  await using plane = await startControlPlane();
  await using server = await GitServer.start({ auth: "oauth2:right" });
  const sha = await server.commit({ "main.ts": "1" });
  await run(plane, ["projects", "create", "shop"]);

  const none = await run(plane, ["git", "--project", "shop"]);
  assert.deepEqual([none.code, none.out], [0, ""]);
  assert.match(none.err, /"shop" follows no repository\. Link one: isola git link URL --project shop/);

  const refused = await run(plane, ["git", "link", server.url, "-p", "shop"]);
  assert.equal(refused.code, 1);
  assert.match(refused.out, /Secret {2}whsec_/, "it is linked all the same");
  assert.match(
    refused.err,
    /error: Cannot read "http:\/\/127\.0\.0\.1:\d+\/repo\.git": it needs a credential/,
  );
  assert.match((await run(plane, ["git", "-p", "shop"])).out, /it needs a credential/);

  const stdin = new Keyboard(["right"]);
  const linked = await run(plane, ["git", "link", server.url, "-p", "shop", "--with-token"], { stdin });
  assert.equal(linked.code, 0, linked.err);
  assert.match(linked.err, /"shop" follows http:.*\n/);
  assert.match(linked.err, /lead a name to the control\naddress of this server \(ISOLA_CONTROL_HOSTNAMES\)/);
  assert.match(linked.err, /Register a webhook, so that pushes are deployed at once/);
  assert.match(linked.out, /URL {5}http:\/\/127\.0\.0\.1:\d+\/git\/webhooks\/[-0-9a-f]{36}\n/);
  assert.match(linked.out, new RegExp(`^main +${sha.slice(0, 12)} +deployed +[a-z0-9]{12}$`, "m"));

  const shown = JSON.parse((await run(plane, ["git", "show", "-p", "shop", "--json"])).out);
  assert.deepEqual(shown.credential, { username: "oauth2" });
  assert.equal(shown.branches[0].sha, sha);
  const deployments = JSON.parse((await run(plane, ["deployments", "-p", "shop", "--json"])).out);
  assert.equal(deployments[0].git.sha, sha);

  await server.commit({ "main.ts": "2" }, { branch: "feature" });
  const synced = await run(plane, ["git", "sync", "-p", "shop"]);
  assert.match(synced.out, /^feature +[0-9a-f]{12} +deployed/m);
});

Deno.test("git set changes what is given, and says what it does not understand", async () => {
  await using plane = await startControlPlane();
  await run(plane, ["projects", "create", "shop"]);
  const options = [
    "--root",
    "apps/web",
    "--build",
    "deno task build",
    "--previews",
    "off",
    "--branch",
    "live",
  ];
  const set = await run(plane, ["git", "set", "-p", "shop", ...options, "--json"]);
  const link = JSON.parse(set.out);
  assert.deepEqual(
    [link.url, link.rootDirectory, link.buildCommand, link.previews, link.productionBranch],
    [null, "apps/web", "deno task build", false, "live"],
  );
  const cleared = await run(plane, ["git", "set", "-p", "shop", "--build", ""]);
  assert.doesNotMatch(cleared.out, /Build command/);
  assert.match(cleared.out, /Root directory +apps\/web/);

  const cases: [string[], number, RegExp][] = [
    [["git", "link", "-p", "shop"], 2, /Cannot link without the URL of a repository/],
    [["git", "link", "git@github.com:a/b", "-p", "shop"], 1, /ssh is not supported/],
    [["git", "set", "-p", "shop"], 2, /Nothing to set/],
    [["git", "set", "-p", "shop", "--previews", "some"], 2, /must be on or off/],
    [
      ["git", "pull", "-p", "shop"],
      2,
      /Unknown action "pull" of git: known are show, link, set, sync, unlink/,
    ],
    [["git", "sync", "-p", "shop"], 1, /follows no repository/],
    [["git", "show"], 2, /No project is named/],
  ];
  for (const [args, code, words] of cases) {
    const ran = await run(plane, args);
    assert.equal(ran.code, code, args.join(" "));
    assert.match(ran.err, words);
  }
  assert.equal((await run(plane, ["git", "unlink", "-p", "shop"])).code, 0);
  assert.equal((await run(plane, ["git", "unlink", "-p", "shop"])).code, 1);
});
