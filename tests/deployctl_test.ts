import assert from "node:assert/strict";
import { DeployctlClient, type Json, walk } from "../control/api/deployctl/testing/deployctl_client.ts";
import { startTestServer } from "./server.ts";

function app(greeting: string): Record<string, string> {
  return {
    "src/main.ts": `
      import { word } from "../lib/word.ts";
      import page from "@page" with { type: "text" };
      console.log("${greeting} has begun");
      Deno.serve(async () =>
        new Response([word, page.trim(), Deno.env.get("NAME"), await Deno.readTextFile("static/link")].join(" ")));`,
    "lib/word.ts": `export const word = "${greeting}";`,
    "static/page.txt": "page\n",
    "static/link": "link:page.txt",
    "deno.json": JSON.stringify({ imports: { "@page": "./static/page.txt" } }),
  };
}

Deno.test("deployctl deploys a folder, redeploys it with variables, reads its log, and cleans up", async (t) => {
  await using server = await startTestServer();
  const client = new DeployctlClient(server.controlUrl, server.token);
  const entrypoint = "src/main.ts";
  const visit = async (host: string) => (await server.text(host)).replaceAll("\n", "");

  await t.step("deploy creates the project, and its first deployment is served", async () => {
    await client.json("/projects/", { method: "POST", body: { name: "folder" } });
    const { sent, events } = await client.deploy("folder", app("hello"), { entrypoint, production: true });
    assert.deepEqual(
      [sent, events.map(({ type }) => type).at(-1)],
      [4, "success"],
      JSON.stringify(events.at(-1)),
    );
    assert.equal(await visit("folder"), "hello page  page");
  });

  await t.step("deploy --env: redeployed with the variables, the first one is deleted", async () => {
    const { sent, events } = await client.deploy("folder", app("bye"), { entrypoint, production: true });
    assert.equal(sent, 2);
    const first = events.at(-1).id;
    const second = await client.json(`/v1/deployments/${first}/redeploy?internal=true`, {
      method: "POST",
      body: { prod: true, env_vars: { NAME: "Ada" } },
    });
    await client.json(`/v1/deployments/${first}`, { method: "DELETE" });
    assert.equal(await visit("folder"), "bye page Ada page");
    const { productionDeployment } = await client.json("/projects/folder");
    assert.deepEqual([productionDeployment.id, productionDeployment.deployment.envVars], [second.id, [
      "NAME",
    ]]);
  });

  await t.step("logs: of the production", async () => {
    const params = new URLSearchParams({ params: JSON.stringify({ q: ["begun"], limit: 1 }) });
    const { logs } = await client.json(`/projects/folder/deployments/latest/query_logs?${params}`);
    assert.deepEqual(logs.map(({ message }: Json) => message.trim()), ["bye has begun"]);
  });

  await t.step("with the standard file server as its entry point a folder is served as it is", async () => {
    const { entries, contents } = await walk({ "index.html": "<h1>Home</h1>", "css/a.css": "a{}" });
    const request = {
      url: "jsr:@std/http@1/file-server",
      importMapUrl: null,
      production: false,
      manifest: { entries },
    };
    const events = await Array.fromAsync(await client.push("folder", request, [...contents.values()]));
    const { type, id } = events.at(-1);
    assert.equal(type, "success", JSON.stringify(events.at(-1)));
    assert.equal(await visit(`folder-${id}`), "<h1>Home</h1>");
  });

  await t.step("a program that cannot be built says where it is wrong", async () => {
    const broken = { ...app("x"), "lib/word.ts": "export const word = ;" };
    const { events } = await client.deploy("folder", broken, { entrypoint });
    assert.equal(events.at(-1).type, "error");
    assert.match(events.at(-1).ctx, /lib\/word\.ts:1:21/);
    assert.equal(await visit("folder"), "bye page Ada page");
  });

  await t.step("a deleted project is served no more", async () => {
    await client.json("/projects/folder", { method: "DELETE" });
    const response = await server.fetch("folder");
    await response.body?.cancel();
    assert.equal(response.status, 404);
  });
});
