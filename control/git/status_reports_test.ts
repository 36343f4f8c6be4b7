import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { follow } from "./testing/followed.ts";
import { GitServer } from "./testing/git_server.ts";
import { StatusReceiver } from "./testing/status_receiver.ts";

/** Waits for what a report leaves behind. */
async function until<T>(read: () => T | null | undefined): Promise<T> {
  for (;;) {
    const value = read();
    if (value !== null && value !== undefined) return value;
    await delay(5);
  }
}

Deno.test("the provider hears how it stands with a commit, and failures of its own are on the link", async () => {
  await using server = await GitServer.start();
  await using receiver = new StatusReceiver();
  const sha = await server.commit({ "main.ts": "1" });
  await using followed = await follow(server, {
    settings: { provider: "gitea", apiUrl: receiver.url },
    credential: { username: "x", token: "s3cret" },
    allowPrivate: [receiver.target],
  });
  const { store, project } = followed;
  receiver.failures.push(503);
  const [deployed] = await followed.sync();
  followed.succeed(deployed!.id);
  const [refused, pending, success] = await receiver.received(3);
  assert.equal(refused!.body.state, "pending", "sent again after a failure that passes");
  assert.equal(pending!.path, `/repos/repo/statuses/${sha}`);
  assert.equal(pending!.headers.get("authorization"), "token s3cret");
  assert.deepEqual(pending!.body, {
    state: "pending",
    context: "isola/shop",
    description: `Building deployment ${deployed!.id}`,
    target_url: `http://shop-${deployed!.id}.isola.test:8000`,
  });
  assert.deepEqual([success!.body.state, success!.body.description], ["success", "Deployed"]);

  receiver.failures.push(403);
  await server.commit({ "main.ts": null, "lib/x.ts": "1" });
  await followed.sync();
  assert.match((await receiver.received(4))[3]!.body.description, /^Cannot find an entry point/);
  const error = await until(() => store.gitLinks.get(project.id)!.statusError);
  assert.match(
    error,
    /^Cannot set the status of commit [0-9a-f]{12}: "127\.0\.0\.1:\d+" answered 403: not this time$/,
  );
});

Deno.test("a status is not sent to a private address, however the API is set", async () => {
  await using server = await GitServer.start();
  await using receiver = new StatusReceiver();
  await server.commit({ "main.ts": "1" });
  await using followed = await follow(server, {
    settings: { provider: "gitlab", apiUrl: receiver.url },
    credential: { username: "x", token: "s3cret" },
  });
  await followed.sync();
  const { store, project } = followed;
  const error = await until(() => store.gitLinks.get(project.id)!.statusError);
  assert.match(error, /is not public: the operator can allow it with egress.allowPrivate$/);
  assert.ok(!error.includes("s3cret"));
});

Deno.test("a provider that does not answer keeps nobody waiting but its own project", async () => {
  await using server = await GitServer.start();
  await using receiver = new StatusReceiver();
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await server.commit({ "main.ts": "1" });
  await using followed = await follow(server, {
    settings: { provider: "gitea", apiUrl: `http://127.0.0.1:${silent.addr.port}` },
    credential: { username: "x", token: "s3cret" },
    allowPrivate: [receiver.target, `127.0.0.1:${silent.addr.port}`],
  });
  const { store, follower, project } = followed;
  const { organizationId } = project;
  const other = store.projects.create({ organizationId, name: "other", description: "" });
  const settings = { ...store.gitLinks.get(project.id)!, apiUrl: receiver.url };
  store.gitLinks.put(other.id, settings, { username: "x", token: "other" });
  await followed.sync();
  (await silent.accept()).close();
  using held = await silent.accept();
  await follower.sync(other.id);
  const [received] = await receiver.received(1);
  assert.equal(received!.headers.get("authorization"), "token other");
  assert.ok(held);
});
