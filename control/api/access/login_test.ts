import assert from "node:assert/strict";
import { DeviceLogins } from "./device_logins.ts";
import { startTestApi, type TestApi } from "../testing/test_api.ts";

/** Sends the form of the page, as a browser would. */
async function submit(api: TestApi, fields: Record<string, string>, origin = api.url) {
  const all = { role: "same", organization: "", days: "30", ...fields };
  const body = new URLSearchParams(all);
  const response = await fetch(`${api.url}/login`, { method: "POST", body, headers: { origin } });
  return { status: response.status, text: await response.text() };
}

Deno.test("a person with a token lets a command line in, once, with no more rights than that token", async () => {
  await using api = await startTestApi();
  const anonymous = { authorization: "" };
  const begin = (client: string) => api.call("POST", "/v1/device/code", { client }, anonymous);
  const { body: { deviceCode, userCode, path } } = await begin("<b>laptop</b>");
  const redeem = () => api.call("POST", "/v1/device/token", { deviceCode }, anonymous);
  assert.equal((await redeem()).body.code, "loginPending");
  const page = await api.call("GET", path, undefined, anonymous);
  assert.match(page.body, /&lt;b&gt;laptop&lt;\/b&gt;/);
  assert.match(page.headers.get("content-security-policy")!, /default-src 'none'.*form-action 'self'/);
  assert.equal(page.headers.get("referrer-policy"), "same-origin", "else the form comes with Origin: null");

  const { body: { token } } = await api.call("POST", "/v1/tokens", {
    name: "me",
    role: "deploy",
    organizationId: api.organizationId,
  });
  // What is another's is answered like what is not there.
  await api.call("POST", "/v1/organizations", { name: "Theirs" });
  for (
    const [fields, problem] of [
      [{ code: userCode, token: "wrong" }, /not known to this server/],
      [{ code: "BBBB-BBBB", token }, /No login waits with the code/],
      [{ code: userCode, token, role: "write" }, /has the role &quot;deploy&quot;/],
      [{ code: userCode, token, days: "x" }, /&quot;days&quot; is missing or wrong/],
      [{ code: userCode, token, organization: "Other" }, /Organization &quot;Other&quot; does not exist/],
      [{ code: userCode, token, organization: "theirs" }, /Organization &quot;theirs&quot; does not exist/],
    ] as const
  ) {
    const answer = await submit(api, fields);
    assert.deepEqual([answer.status, problem.test(answer.text)], [400, true], answer.text);
  }
  assert.equal((await submit(api, { code: userCode, token }, "https://evil.example")).status, 403);
  assert.equal((await redeem()).body.code, "loginPending");

  assert.match((await submit(api, { code: userCode.toLowerCase(), token })).text, /Logged in/);
  assert.equal((await submit(api, { code: userCode, token })).status, 400, "once");
  const { body } = await redeem();
  assert.deepEqual([body.role, body.organizationId], ["deploy", api.organizationId]);
  assert.ok(Date.parse(body.expiresAt) < Date.now() + 31 * 86_400_000);
  const asClient = { authorization: `Bearer ${body.token}` };
  assert.equal((await api.call("GET", "/v1/tokens/self", undefined, asClient)).body.id, body.id);
  assert.equal((await redeem()).body.code, "loginExpired", "once");
  const [last] = (await api.call("GET", "/v1/audit")).body;
  assert.deepEqual([last.actor, last.action, last.target], ["me", "create token", body.id]);
});

Deno.test("who lets a command line in with a token that is revoked meanwhile lets nobody in", async () => {
  await using api = await startTestApi();
  const { body: { deviceCode, userCode } } = await api.call("POST", "/v1/device/code", { client: "laptop" });
  const { body: me } = await api.call("POST", "/v1/tokens", { name: "me", role: "admin" });
  assert.equal((await submit(api, { code: userCode, token: me.token })).status, 200);
  await api.call("DELETE", `/v1/tokens/${me.id}`);
  assert.equal((await api.call("POST", "/v1/device/token", { deviceCode })).body.code, "loginExpired");
});

Deno.test("what strangers send is short, and no form that cannot be read is a failure of the server", async () => {
  await using api = await startTestApi();
  for (const path of ["/v1/device/code", "/v1/device/token"]) {
    const long = await api.call("POST", path, `"${"x".repeat(2000)}"`, { authorization: "" });
    assert.deepEqual([long.status, long.body.code], [413, "bodyTooLarge"]);
  }
  const headers = { authorization: "", "content-type": "multipart/form-data; boundary=a" };
  const unreadable = await api.call("POST", "/login", "--b", headers);
  assert.deepEqual([unreadable.status, unreadable.body.message], [400, "The form cannot be read"]);
});

Deno.test("few logins wait at once, of one address and in all", () => {
  const logins = new DeviceLogins<string>();
  const begin = (address: string) => logins.begin({ client: "x", address });
  const first = begin("192.0.2.1");
  assert.match(first!.userCode, /^[B-Z]{4}-[B-Z]{4}$/);
  for (let n = 0; n < 19; n++) assert.notEqual(begin("192.0.2.1"), null);
  assert.equal(begin("192.0.2.1"), null);
  let others = 0;
  while (begin(`2001:db8::${others}`) !== null) others++;
  assert.equal(others, 20, "of a site, which has as many addresses as it likes");
  while (begin(`2001:db8:0:${others.toString(16)}::1`) !== null) others++;
  assert.equal(others, 980);
  logins.end(first!);
  assert.notEqual(begin("192.0.2.1"), null);
});
