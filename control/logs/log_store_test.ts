import assert from "node:assert/strict";
import { openStore } from "../store/mod.ts";
import { deploymentResource } from "./deployment_resource.ts";
import { openLogs } from "./log_store.ts";
import type { OtlpRecord } from "./otlp_logs.ts";
import { PLAIN_DEPLOYMENT } from "../store/testing/plain_deployment.ts";

Deno.test("what deployments print and are asked is exported with what is known of them", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-logs-" });
  try {
    using store = await openStore(dir);
    const records: OtlpRecord[] = [];
    using logs = openLogs(dir, store, { exporter: { add: (some) => records.push(...some) } });
    const organizationId = store.organizations.first().id;
    const project = store.projects.create({ organizationId, name: "shop", description: "" });
    const { id } = store.deployments.create({
      ...PLAIN_DEPLOYMENT,
      projectId: project.id,
    });
    const time = "2030-01-01T00:00:00.000Z";
    logs.app.append(id, [{ time, level: "info", message: "printed", region: "fra" }]);
    const entry = {
      timeMs: Date.parse(time),
      method: "GET",
      host: "shop.localhost",
      path: "/cart",
      protocol: "HTTP/2" as const,
      status: 503,
      complete: true,
      cold: false,
      durationMs: 7.4,
      requestBytes: 10,
      responseBytes: 20,
      deploymentId: id,
      isolateId: null,
      errorCode: "OVERLOADED" as const,
      requestId: null,
      address: "192.0.2.1",
      traceId: "a".repeat(32),
    };
    await logs.access.append({ entries: [entry], dropped: new Map() }, "fra");
    const [printed, asked] = records;
    assert.deepEqual(printed, { deploymentId: id, region: "fra", time, level: "info", body: "printed" });
    assert.deepEqual([asked!.level, asked!.body, asked!.traceId], [
      "error",
      "GET shop.localhost/cart",
      entry.traceId,
    ]);
    assert.deepEqual(asked!.attributes, {
      "http.request.method": "GET",
      "server.address": "shop.localhost",
      "url.path": "/cart",
      "client.address": "192.0.2.1",
      "http.request.size": 10,
      "http.response.size": 20,
      "http.response.status_code": 503,
      "error.type": "OVERLOADED",
      "isola.request.duration_ms": 7,
      "isola.request.outcome": "complete",
      "isola.request.start": "warm",
    });
    assert.deepEqual(deploymentResource(store.database, id), {
      "service.name": "shop",
      "deployment.environment.name": "preview",
    });
    const image = { mode: "tree" as const, entry: "main.ts", files: {} };
    store.deployments.finish(id, { status: "success", image });
    assert.equal(deploymentResource(store.database, id)["deployment.environment.name"], "production");
    assert.deepEqual(deploymentResource(store.database, "gone"), { "service.name": "gone" });
    assert.ok(logs.stats().bytes > 0);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
