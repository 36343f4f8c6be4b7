import assert from "node:assert/strict";
import { startTestApi } from "../api/testing/test_api.ts";
import { closeBranch } from "./close_branch.ts";
import { PLAIN_DEPLOYMENT } from "../store/testing/plain_deployment.ts";

Deno.test("a branch that is deleted while it is built gets no hostname by that", async () => {
  await using api = await startTestApi();
  const { store, logs } = api;
  const projectId = await api.project("shop");
  const pending = (branch: string) =>
    store.deployments.create({
      ...PLAIN_DEPLOYMENT,
      projectId,
      production: false,
      git: { sha: "0".repeat(40), branch, message: "", author: "", url: null },
    }).id;
  const ready = pending("next");
  api.succeed(ready);
  const [building, other] = [pending("next"), pending("main")];
  const cancelled: string[] = [];
  const reasons: (string | undefined)[] = [];
  const deps = {
    store,
    logs,
    isolation: "process" as const,
    builds: { submit() {}, cancel: (id: string) => void cancelled.push(id) },
    follower: { finished: (_id: string, reason?: string) => void reasons.push(reason) },
    routed: () => Promise.resolve(),
  };
  await closeBranch(deps, projectId, "next");
  assert.deepEqual(cancelled, [building]);
  assert.deepEqual(reasons, ['Not built: branch "next" was deleted']);
  for (const id of [building, other]) api.succeed(id);
  const labels = [ready, building, other].map((id) => store.branches.labelOf(id));
  assert.deepEqual(labels, [null, null, "main"]);
  assert.equal(store.deployments.get(building)!.status, "failed");
});
