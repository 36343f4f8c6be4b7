import assert from "node:assert/strict";
import { startTestApi } from "../testing/test_api.ts";
import { PLAIN_DEPLOYMENT } from "../../store/testing/plain_deployment.ts";

Deno.test("a deployment may have a build command, which may be what makes its entry point", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const create = (changes: Record<string, unknown>) =>
    api.call("POST", `/v1/projects/${projectId}/deployments`, {
      entryPointUrl: "dist/server.ts",
      assets: { "deno.json": { kind: "file", content: "{}" } },
      envVars: {},
      ...changes,
    });
  const created = await create({ buildCommand: " deno task build " });
  assert.equal(created.status, 200);
  assert.deepEqual(api.store.deployments.get(created.body.id)!.source, {
    entrypoint: "dist/server.ts",
    importMap: null,
    lockFile: null,
    compilerOptions: null,
    buildCommand: "deno task build",
  });
  const refusals: [Record<string, unknown>, RegExp][] = [
    [{}, /"entryPointUrl": "dist\/server.ts" must name one of the assets/],
    [{ buildCommand: "a\nb" }, /"buildCommand": must be one line/],
    [{ buildCommand: "" }, /"buildCommand"/],
    [{ buildCommand: "make", entryPointUrl: "../main.ts" }, /"entryPointUrl": "..\/main.ts"/],
  ];
  for (const [changes, message] of refusals) {
    const { status, body } = await create(changes);
    assert.equal(status, 400, JSON.stringify(changes));
    assert.match(body.message, message);
  }
});

Deno.test("the newest deployment of a branch tells the branch's hostname", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const deploy = () => {
    const { id } = api.store.deployments.create({
      ...PLAIN_DEPLOYMENT,
      projectId,
      production: false,
      git: { sha: "0".repeat(40), branch: "feature/x", message: "", author: "", url: null },
    });
    api.succeed(id);
    return id;
  };
  const domainsOf = async (id: string) => (await api.call("GET", `/v1/deployments/${id}`)).body.domains;
  const older = deploy();
  const newer = deploy();
  assert.deepEqual(await domainsOf(older), [`shop-${older}.isola.test`]);
  assert.deepEqual(await domainsOf(newer), [`shop-${newer}.isola.test`, "shop--feature-x.isola.test"]);
});
