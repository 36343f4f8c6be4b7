import assert from "node:assert/strict";
import { actionOf } from "./audit.ts";
import { startTestApi } from "../testing/test_api.ts";

Deno.test("calls are told in words", () => {
  const actions: Record<string, string> = {
    "POST /organizations": "create organization",
    "PATCH /organizations/:organizationId": "update organization",
    "POST /organizations/:organizationId/databases": "create database",
    "DELETE /projects/:projectId": "delete project",
    "POST /projects/:projectId/deployments": "create deployment",
    "PATCH /projects/:projectId/env_vars": "update env var",
    "PUT /projects/:projectId/git": "set git",
    "POST /projects/:projectId/git/sync": "sync git",
    "POST /deployments/:deploymentId/promote": "promote deployment",
    "PUT /deployments/:deploymentId/domains/:domain": "attach domain",
    "POST /domains/:domainId/verify": "verify domain",
    "POST /domains/:domainId/certificates": "upload certificate",
    "POST /domains/:domainId/certificates/provision": "provision certificate",
    "DELETE /tokens/:tokenId": "revoke token",
  };
  for (const [call, action] of Object.entries(actions)) {
    const [method, pattern] = call.split(" ") as [string, string];
    assert.equal(actionOf({ method, pattern }), action, call);
  }
});

Deno.test("each change is recorded once, with who made it, where, and nothing of what was in it", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const deploymentId = await api.deployment(projectId, { envVars: { PASSWORD: "hunter2" } });
  api.succeed(deploymentId);
  await api.call("PUT", `/v1/deployments/${deploymentId}/domains/shop.example.com`);
  const { body: made } = await api.call("POST", "/v1/tokens", {
    name: "ci",
    role: "write",
    organizationId: api.organizationId,
  });
  const asCi = { authorization: `Bearer ${made.token}` };
  await api.call("DELETE", `/api/projects/${projectId}`, undefined, asCi);
  // To read is no change, and to fail neither.
  await api.call("GET", "/v1/tokens");
  await api.call("PATCH", `/v1/projects/${projectId}`, { name: "shop-two" });

  const { body } = await api.call("GET", "/v1/audit?order=asc");
  assert.ok(!JSON.stringify(body).includes("hunter2") && !JSON.stringify(body).includes(made.token));
  const { body: self } = await api.call("GET", "/v1/tokens/self");
  const { organizationId } = api;
  const entry = (action: string, target: string, actor = "admin", tokenId = self.id) => ({
    organizationId,
    tokenId,
    actor,
    action,
    target,
    address: "127.0.0.1",
  });
  assert.deepEqual(body.map(({ time: _, ...rest }: { time: string }) => rest), [
    entry("create project", projectId),
    entry("create deployment", deploymentId),
    entry("attach domain", "shop.example.com"),
    entry("create token", made.id),
    entry("delete project", projectId, "ci", made.id),
  ]);
});

Deno.test("changes are read page by page, by token and time, also one a line", async () => {
  await using api = await startTestApi();
  for (let n = 0; n < 5; n++) await api.project(`shop-${n}`);
  const targets: string[] = [];
  let path: string | undefined = "/v1/audit?limit=2&order=asc";
  while (path !== undefined) {
    const { body, headers } = await api.call("GET", path);
    targets.push(...body.map(({ target }: { target: string }) => target));
    path = /<([^>]+)>; rel="next"/.exec(headers.get("link") ?? "")?.[1];
  }
  assert.deepEqual([targets.length, new Set(targets).size], [5, 5]);
  const lines = await api.call("GET", "/v1/audit", undefined, { accept: "application/x-ndjson" });
  assert.equal(lines.body.trimEnd().split("\n").length, 5);
  assert.equal((await api.call("GET", "/v1/audit?tokenId=x")).body.length, 0);
  assert.equal((await api.call("GET", "/v1/audit?until=2020-01-01T00:00:00Z")).body.length, 0);
  assert.equal((await api.call("GET", "/v1/audit?since=yesterday")).status, 400);
  assert.equal((await api.call("GET", "/v1/audit?cursor=x!")).status, 400);
});
