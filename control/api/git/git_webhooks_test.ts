import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { startTestApi, type TestApi } from "../testing/test_api.ts";

const PUSH = JSON.stringify({ ref: "refs/heads/main", after: "a".repeat(40) });

function hexHmac(secret: string, body: string): string {
  return createHmac("sha256", secret).update(body).digest("hex");
}

/** RFC: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
function standardHeaders(secret: string, body: string, seconds = Math.floor(Date.now() / 1000)) {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signature = createHmac("sha256", key).update(`msg_1.${seconds}.${body}`).digest("base64");
  return {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(seconds),
    "webhook-signature": `v1,bm9uZQ== v1,${signature}`,
    "x-gitlab-event": "Push Hook",
  };
}

/** The headers of each provider's push. */
const PROVIDERS: Record<string, (secret: string, body: string) => Record<string, string>> = {
  GitHub: (secret, body) => ({
    "x-github-event": "push",
    "x-github-delivery": crypto.randomUUID(),
    "x-hub-signature-256": `sha256=${hexHmac(secret, body)}`,
  }),
  "GitLab with a secret token": (secret) => ({ "x-gitlab-event": "Push Hook", "x-gitlab-token": secret }),
  "GitLab with a signing token": standardHeaders,
  Gitea: (secret, body) => ({
    "x-gitea-event": "push",
    "x-github-event": "push",
    "x-gitea-signature": hexHmac(secret, body),
    "x-hub-signature-256": `sha256=${hexHmac(secret, body)}`,
  }),
  Forgejo: (secret, body) => ({ "x-forgejo-event": "push", "x-forgejo-signature": hexHmac(secret, body) }),
  "any other": (secret, body) => ({ "x-hub-signature-256": `sha256=${hexHmac(secret, body)}` }),
};

async function send(api: TestApi, projectId: string, body: string, headers: Record<string, string>) {
  const url = `${api.url}/git/webhooks/${projectId}`;
  const response = await fetch(url, { method: "POST", body, headers });
  return { status: response.status, ...await response.json() };
}

/** A linked project and the secret of its webhooks. */
async function linked(api: TestApi): Promise<{ id: string; secret: string }> {
  const id = await api.project("shop");
  const { body } = await api.call("PUT", `/v1/projects/${id}/git`, {
    url: "https://git.example.com/ada/shop",
  });
  assert.equal(body.webhook.url, `https://console.example.com/git/webhooks/${id}`);
  api.looked.length = 0;
  return { id, secret: body.webhook.secret };
}

Deno.test("a webhook with the right signature has the repository looked at, once", async () => {
  await using api = await startTestApi();
  const { id, secret } = await linked(api);
  for (const [provider, headersOf] of Object.entries(PROVIDERS)) {
    const body = `${PUSH}${" ".repeat(provider.length)}`;
    api.looked.length = 0;
    assert.equal((await send(api, id, body, headersOf("wrong", body))).status, 401, provider);
    assert.equal((await send(api, id, `${body}!`, headersOf("wrong", body))).status, 401, provider);
    assert.deepEqual(api.looked, []);
    assert.equal((await send(api, id, body, headersOf(secret, body))).status, 202, provider);
    assert.deepEqual(api.looked, [id], provider);
    const again = await send(api, id, body, { ...headersOf(secret, body), "x-github-delivery": "another" });
    assert.deepEqual([again.status, again.code], [409, "deliveryRepeated"], provider);
    const renamed = await send(api, id, body, { "webhook-id": "another", ...headersOf(secret, body) });
    assert.equal(renamed.status, 409, provider);
    assert.deepEqual(api.looked, [id], provider);
  }
  const { body } = await api.call("GET", `/v1/projects/${id}/git`);
  assert.notEqual(body.webhook.deliveredAt, null);
  assert.equal(body.webhook.secret, undefined);
});

Deno.test("a webhook that nobody has signed is the same for every project, also one that is not there", async () => {
  await using api = await startTestApi();
  const { id, secret } = await linked(api);
  const bare = await api.project("bare");
  for (
    const headers of [
      {},
      PROVIDERS.GitHub!("wrong", PUSH),
      PROVIDERS["GitLab with a secret token"]!("no", PUSH),
    ]
  ) {
    const answers = [id, bare, crypto.randomUUID()].map((project) => send(api, project, PUSH, headers));
    const [first, ...others] = await Promise.all(answers);
    assert.equal(first!.status, 401);
    for (const other of others) assert.deepEqual(other, first);
  }
  assert.equal((await send(api, bare, PUSH, PROVIDERS.GitHub!(secret, PUSH))).status, 401);
  const stale = standardHeaders(secret, PUSH, Math.floor(Date.now() / 1000) - 600);
  assert.match((await send(api, id, PUSH, stale)).message, /signed more than 5 minutes ago/);
});

Deno.test("a ping is answered, other events are nothing to do, a renewed secret ends the old one", async () => {
  await using api = await startTestApi();
  const { id, secret } = await linked(api);
  const ping = await send(api, id, PUSH, { ...PROVIDERS.GitHub!(secret, PUSH), "x-github-event": "ping" });
  assert.deepEqual([ping.status, ping.message], [200, "The webhook arrives"]);
  const issue = await send(api, id, PUSH, { ...PROVIDERS.GitHub!(secret, PUSH), "x-github-event": "issues" });
  assert.equal(issue.status, 200);
  assert.deepEqual(api.looked, []);
  const { body } = await api.call("PATCH", `/v1/projects/${id}/git`, { renewSecret: true });
  assert.equal((await send(api, id, PUSH, PROVIDERS.GitHub!(secret, PUSH))).status, 401);
  assert.equal((await send(api, id, PUSH, PROVIDERS.GitHub!(body.webhook.secret, PUSH))).status, 202);
});

Deno.test("the body of a webhook is bounded, and large ones are not held", async () => {
  await using api = await startTestApi();
  const { id, secret } = await linked(api);
  const large = "x".repeat(5 * 1024 ** 2);
  assert.equal((await send(api, id, large, PROVIDERS.GitHub!(secret, large))).status, 202);
  const url = `${api.url}/git/webhooks/${id}`;
  const headers = { "x-hub-signature-256": "sha256=" };
  const tooLarge = await fetch(url, { method: "POST", headers, body: new Uint8Array(25 * 1024 ** 2 + 1) });
  assert.equal(tooLarge.status, 413);
  await tooLarge.body?.cancel();
});

Deno.test("who sends webhooks slowly keeps no other address waiting", async () => {
  await using api = await startTestApi();
  const { id, secret } = await linked(api);
  const port = Number(new URL(api.url).port);
  const slow = await Promise.all(Array.from({ length: 17 }, () => Deno.connect({ port })));
  const head = [
    `POST /git/webhooks/${id} HTTP/1.1`,
    "host: localhost",
    "x-forwarded-for: 192.0.2.1",
    "x-hub-signature-256: sha256=",
    "content-length: 100",
  ];
  const answers = slow.map(async (connection) => {
    await connection.write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n{`));
    const buffer = new Uint8Array(20);
    await connection.read(buffer).catch(() => {});
    return new TextDecoder().decode(buffer);
  });
  assert.match(await Promise.race(answers), /^HTTP\/1\.1 503/);
  const headers = { ...PROVIDERS.GitHub!(secret, PUSH), "x-forwarded-for": "192.0.2.2" };
  assert.equal((await send(api, id, PUSH, headers)).status, 202);
  for (const connection of slow) connection.close();
  await Promise.all(answers);
});
