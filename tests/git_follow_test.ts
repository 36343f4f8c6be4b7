import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { GitServer } from "../control/git/testing/git_server.ts";
import { StatusReceiver } from "../control/git/testing/status_receiver.ts";
import { serverForTests, type TestDeployment, until } from "./server.ts";

const started = serverForTests({ config: { egress: { allowPrivate: ["127.0.0.1"] } } });

const app = (answer: string) => `Deno.serve(() => new Response(${JSON.stringify(answer)}));\n`;

Deno.test("a push to a repository elsewhere changes what visitors see, by its webhook", async (t) => {
  const { server } = started;
  await using repository = await GitServer.start({ auth: "ada:token" });
  await using provider = new StatusReceiver();
  await repository.commit({ "web/main.ts": app("one"), "README.md": "" });
  const projectId = await server.project("followed");
  const link = `/v1/projects/${projectId}/git`;
  let webhook = { url: "", secret: "" };

  /** What GitHub sends. */
  const deliver = async (secret: string) => {
    const body = JSON.stringify({ ref: "refs/heads/main", at: crypto.randomUUID() });
    const signature = createHmac("sha256", secret).update(body).digest("hex");
    const headers = { "x-github-event": "push", "x-hub-signature-256": `sha256=${signature}` };
    const response = await fetch(webhook.url, { method: "POST", body, headers });
    await response.body?.cancel();
    return response.status;
  };
  const shows = (host: string, text: string) =>
    until(
      `${host} shows "${text}"`,
      async () => await server.text(host) === text,
      60_000,
      () => server.output,
    );

  await t.step("linked, its production branch is deployed", async () => {
    const linked = await server.api<{ webhook: typeof webhook }>("PUT", link, {
      url: repository.url,
      provider: "forgejo",
      apiUrl: provider.url,
      credential: { username: "ada", token: "token" },
      rootDirectory: "web",
    });
    webhook = linked.webhook;
    await shows("followed", "one");
  });
  await t.step("the provider hears of it", async () => {
    const [pending, success] = await provider.received(2);
    assert.deepEqual([pending!.body.state, success!.body.state], ["pending", "success"]);
    const [deployment] = await server.api<TestDeployment[]>("GET", `/v1/projects/${projectId}/deployments`);
    assert.equal(success!.body.target_url, `http://followed-${deployment!.id}.localhost:${server.httpPort}`);
  });
  await t.step("a push is deployed when its webhook says so, and only then", async () => {
    await repository.commit({ "web/main.ts": app("two") });
    assert.equal(await deliver("wrong"), 401);
    assert.equal(await server.text("followed"), "one");
    assert.equal(await deliver(webhook.secret), 202);
    await shows("followed", "two");
  });
  await t.step("another branch has an address of its own, until it is deleted", async () => {
    await repository.commit({ "web/main.ts": app("preview") }, { branch: "feature/x" });
    assert.equal(await deliver(webhook.secret), 202);
    await shows("followed--feature-x", "preview");
    assert.equal(await server.text("followed"), "two");
    await repository.git("branch", "-D", "feature/x");
    assert.equal(await deliver(webhook.secret), 202);
    await until("its address is gone", async () => {
      const response = await server.fetch("followed--feature-x");
      await response.body?.cancel();
      return response.status === 404;
    });
  });
  await t.step("neither the token nor the secret is in what the server says", () => {
    assert.ok(!server.output.includes("ada:token") && !server.output.includes(webhook.secret));
  });
});
