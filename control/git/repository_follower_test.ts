import assert from "node:assert/strict";
import { follow } from "./testing/followed.ts";
import { GitServer } from "./testing/git_server.ts";

Deno.test("a push becomes the production, other branches previews, and a branch that is gone is forgotten", async () => {
  await using server = await GitServer.start();
  await server.commit({ "main.ts": "1" }, { branch: "old" });
  const first = await server.commit({ "main.ts": "1", "lib/a.ts": "a", "link.ts": { link: "lib/a.ts" } }, {
    message: "First\n\nMore of it",
  });
  await using followed = await follow(server);
  const { store, project } = followed;

  const [production, ...others] = await followed.sync();
  assert.deepEqual(others, [], "what was there before is not deployed, but for the production branch");
  assert.deepEqual(production!.git, {
    sha: first,
    branch: "main",
    message: "First\n\nMore of it",
    author: "Ada",
    url: null,
  });
  assert.equal(production!.description, "First");
  assert.equal(production!.production, true);
  assert.equal(production!.context, "production");
  assert.equal(production!.source.entrypoint, "main.ts");
  const { files } = store.deployments.snapshot(production!.id)!;
  assert.deepEqual(Object.keys(files).sort(), ["lib/a.ts", "link.ts", "main.ts"]);
  assert.deepEqual(files["link.ts"], { kind: "symlink", target: "lib/a.ts" });
  followed.succeed(production!.id);

  await server.commit({ "main.ts": "2" }, { branch: "feature/x" });
  const [preview] = await followed.sync();
  assert.equal(preview!.git!.branch, "feature/x");
  assert.equal(preview!.production, false);
  followed.succeed(preview!.id);
  assert.notEqual(store.branches.labelOf(preview!.id), null);
  assert.deepEqual(await followed.sync(), [], "nothing has changed");

  await server.git("branch", "-D", "feature/x");
  assert.deepEqual(await followed.sync(), []);
  assert.equal(store.branches.labelOf(preview!.id), null);
  assert.deepEqual(store.gitLinks.branches(project.id).map(({ branch, state }) => [branch, state]), [
    ["main", "deployed"],
    ["old", "skipped"],
  ]);
  const left = await Array.fromAsync(Deno.readDir(followed.fetchDir), ({ name }) => name);
  assert.deepEqual(left, ["empty"], "neither of this server nor of one before");
});

Deno.test("a newer commit takes the place of one whose build waits, and [skip ci] is not deployed", async () => {
  await using server = await GitServer.start();
  await server.commit({ "main.ts": "1" });
  await using followed = await follow(server);
  const { store, logs, cancelled, project } = followed;
  const [older] = await followed.sync();
  await server.commit({ "main.ts": "2" });
  const [newer] = await followed.sync();
  assert.deepEqual(cancelled, [older!.id]);
  assert.equal(store.deployments.get(older!.id)!.status, "failed");
  assert.match(
    [...logs.build.list(older!.id)].at(-1)!.message,
    new RegExp(`deployment "${newer!.id}" of a newer commit`),
  );
  for (const words of ["[skip ci]", "[Skip Deploy]", "[ci skip]"]) {
    await server.commit({}, { message: `Words only ${words}` });
    assert.deepEqual(await followed.sync(), [], words);
  }
  assert.match(store.gitLinks.branches(project.id)[0]!.note!, /its message says/i);
});

Deno.test("previews can be off, and settings say which branch, folder, entry point and build", async () => {
  await using server = await GitServer.start();
  await server.commit({ "README.md": "no program here" });
  await server.commit({ "apps/web/start.ts": "1", "apps/web/deno.json": "{}", "other/x.ts": "" }, {
    branch: "live",
  });
  await using followed = await follow(server, {
    settings: {
      productionBranch: "live",
      rootDirectory: "apps/web",
      entrypoint: "dist/server.js",
      buildCommand: "deno task build",
      previews: false,
    },
  });
  const [deployed, ...others] = await followed.sync();
  assert.deepEqual(others, []);
  assert.equal(deployed!.source.entrypoint, "dist/server.js");
  assert.equal(deployed!.source.buildCommand, "deno task build");
  const { files } = followed.store.deployments.snapshot(deployed!.id)!;
  assert.deepEqual(Object.keys(files).sort(), ["deno.json", "start.ts"]);
  await server.commit({ "main.ts": "1" }, { branch: "feature" });
  assert.deepEqual(await followed.sync(), []);

  const { store, project } = followed;
  const link = store.gitLinks.get(project.id)!;
  store.gitLinks.put(project.id, { ...link, entrypoint: "dist/other.js" });
  const [again] = await followed.sync();
  assert.equal(again!.source.entrypoint, "dist/other.js", "other settings deploy the production anew");
  assert.deepEqual(await followed.sync(), []);
});

Deno.test("what cannot be deployed is said, and tried again when somebody asks", async () => {
  await using server = await GitServer.start();
  await using followed = await follow(server, {
    settings: { productionBranch: "main", rootDirectory: "web" },
  });
  const { store, project } = followed;
  await assert.rejects(followed.sync(), /it has no branch yet/);
  await server.commit({ "lib/a.ts": "1" });
  assert.deepEqual(await followed.sync(), []);
  const [branch] = store.gitLinks.branches(project.id);
  assert.equal(branch!.state, "failed");
  assert.match(branch!.note!, /^Cannot deploy folder "web": there is none in commit/);
  await server.commit({ "web/lib.css": "", "web/a.ts": "" });
  await followed.sync();
  assert.match(store.gitLinks.branches(project.id)[0]!.note!, /^Cannot find an entry point/);
  store.gitLinks.put(project.id, { ...store.gitLinks.get(project.id)!, entrypoint: "a.ts" });
  const [deployed] = await followed.sync();
  assert.equal(deployed!.source.entrypoint, "a.ts");
  store.gitLinks.put(project.id, { ...store.gitLinks.get(project.id)!, productionBranch: "nope" });
  await assert.rejects(followed.sync(), /Cannot find the production branch "nope"/);
});

Deno.test("only contents that are new are stored, and files that are none of a deployment are left out with a word", async () => {
  await using server = await GitServer.start();
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 1234\n`;
  const large = new Uint8Array(600_000).map((_, index) => index % 251);
  await server.commit({
    "index.html": "<h1>home</h1>",
    "big.bin": large,
    "video.mp4": pointer,
    ".env": "SECRET=1",
    ".gitignore": "ignored.txt",
    "ignored.txt": "committed all the same",
    "node_modules/a/index.js": "",
  });
  await using followed = await follow(server);
  const { store, logs } = followed;
  const [site] = await followed.sync();
  assert.equal(site!.source.entrypoint, "_isola_static.ts");
  const { files } = store.deployments.snapshot(site!.id)!;
  assert.deepEqual(Object.keys(files).sort(), [
    ...[
      ".gitignore",
      "_isola_static.json",
      "_isola_static.ts",
      "big.bin",
      "ignored.txt",
      "index.html",
      "video.mp4",
    ],
  ]);
  const big = files["big.bin"]!;
  assert.ok(big.kind === "file");
  assert.deepEqual(await Deno.readFile(store.blobs.path(big.sha256)), large);
  assert.deepEqual([...logs.build.list(site!.id)].map(({ message }) => message), [
    'Left out: ".env": variables are set with isola env',
    'Deployed as a pointer: "video.mp4": contents in Git LFS are not fetched',
  ]);
  await server.commit({ "index.html": "<h1>new</h1>" });
  const [next] = await followed.sync();
  assert.deepEqual(store.deployments.snapshot(next!.id)!.files["big.bin"], big);
});

Deno.test("a private repository is read with its credential alone, and a private address not at all", async () => {
  await using server = await GitServer.start({ auth: "ada:right" });
  await server.commit({ "main.ts": "1" });
  await using followed = await follow(server, { credential: { username: "ada", token: "right" } });
  const { store, project } = followed;
  assert.equal((await followed.sync()).length, 1);
  store.gitLinks.put(project.id, store.gitLinks.get(project.id)!, { username: "ada", token: "wrong" });
  await assert.rejects(followed.sync(), /it refuses the credential/);
  store.gitLinks.put(project.id, store.gitLinks.get(project.id)!, null);
  await assert.rejects(followed.sync(), /it needs a credential/);
  assert.match(store.gitLinks.get(project.id)!.syncError!, /it needs a credential/);

  await using walled = await follow(server, { reachable: false });
  await assert.rejects(
    walled.sync(),
    /its address is not public: the operator can allow it with egress.allowPrivate/,
  );
});

Deno.test("repositories are polled when their time has come, and when they are woken", async () => {
  await using server = await GitServer.start();
  await server.commit({ "main.ts": "1" });
  await using followed = await follow(server);
  const { store, follower, project, submitted } = followed;
  follower.poll();
  follower.wake(project.id);
  await followed.sync();
  assert.equal(submitted.length, 1, "one look at a time");
  const times = (syncedAgoMs: number) => ({
    syncedBefore: new Date(Date.now() - syncedAgoMs).toISOString(),
    deliveredAfter: new Date(Date.now() - 1000).toISOString(),
    deliveredSyncedBefore: new Date(Date.now() - 60_000).toISOString(),
    limit: 10,
  });
  assert.deepEqual(store.gitLinks.due(times(60_000)), []);
  assert.deepEqual(store.gitLinks.due(times(-60_000)), [project.id]);
  store.gitLinks.accept(project.id, "a");
  assert.deepEqual(store.gitLinks.due(times(-60_000)), [], "its webhooks arrive");
});
