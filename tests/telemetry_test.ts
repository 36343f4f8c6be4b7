import assert from "node:assert/strict";
import { OtlpReceiver, type OtlpSpan } from "./otlp_receiver.ts";
import { startTestServer, until } from "./server.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const VISITORS_SPAN = "b7ad6b7169203331";
const APP = `
Deno.serve((request) => {
  if (request.url.endsWith("/fail")) return new Response("no", { status: 503 });
  return Response.json({ traceparent: request.headers.get("traceparent") });
});`;

Deno.test("telemetry goes to a collector as traces and metrics, and an isolate's process knows nothing of it", async (t) => {
  await using receiver = new OtlpReceiver();
  await using server = await startTestServer({ env: receiver.env });
  const { id: deploymentId } = await server.deploy("shop", APP);
  const spansOf = (traceId: string) => receiver.spans.filter((span) => span.traceId === traceId);
  const named = (name: string): OtlpSpan => {
    const spans = spansOf(TRACE_ID).filter((span) => span.name === name);
    assert.equal(spans.length, 1, `one ${name}: ${JSON.stringify(receiver.spans, null, 1)}`);
    return spans[0]!;
  };

  await t.step("a cold request's spans are below the visitor's, and the app goes on below ours", async () => {
    const response = await server.fetch("shop", "/p/q?secret=1", {
      headers: {
        traceparent: `00-${TRACE_ID}-${VISITORS_SPAN}-01`,
        tracestate: "a=1",
        "user-agent": "tests/1",
      },
    });
    const seen = await response.json();
    await until("the spans arrive", () => spansOf(TRACE_ID).some(({ name }) => name === "GET"));
    const request = named("GET");
    assert.equal(request.parentSpanId, VISITORS_SPAN);
    assert.equal(request.kind, 2);
    assert.equal(seen.traceparent, `00-${TRACE_ID}-${request.spanId}-01`);
    const { "isola.isolate.id": isolateId, ...attributes } = request.attributes;
    assert.deepEqual(attributes, {
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "url.scheme": "http",
      "url.path": "/p/q",
      "network.protocol.version": "1.1",
      "server.address": "shop.localhost",
      "client.address": "127.0.0.1",
      "user_agent.original": "tests/1",
      "isola.deployment.id": deploymentId,
      "isola.cold_start": true,
    });
    const wait = named("isolate.wait");
    assert.equal(wait.parentSpanId, request.spanId);
    const start = named("isolate.start");
    assert.equal(start.parentSpanId, wait.spanId);
    assert.deepEqual(start.attributes, {
      "isola.deployment.id": deploymentId,
      "isola.isolate.id": isolateId,
    });
    const steps = ["sandbox.take", "program.handover", "isolate.boot"].map(named);
    for (const [index, step] of steps.entries()) {
      assert.equal(step.parentSpanId, start.spanId);
      const before = steps[index - 1];
      if (before) assert.ok(BigInt(before.endTimeUnixNano) <= BigInt(step.startTimeUnixNano));
    }
    const { pid } = (await server.isolate(deploymentId))!;
    assert.doesNotMatch(await Deno.readTextFile(`/proc/${pid}/environ`), /OTEL/);
  });

  await t.step(
    "a warm request is one span, of a new trace where the visitor has none that is valid",
    async () => {
      const response = await server.fetch("shop", "/", { headers: { traceparent: `00-${TRACE_ID}-x-01` } });
      const [, traceId, spanId] = (await response.json()).traceparent.split("-");
      await until("the span arrives", () => spansOf(traceId).length > 0);
      assert.notEqual(traceId, TRACE_ID);
      const [span, ...others] = spansOf(traceId);
      assert.deepEqual(others, []);
      assert.equal(span!.spanId, spanId);
      assert.equal(span!.parentSpanId, "");
      assert.equal(span!.attributes["isola.cold_start"], false);
    },
  );

  await t.step("a request of a project with an access log is there by the id of its trace", async () => {
    const projectId = await server.project("shop");
    await server.api("PATCH", `/v1/projects/${projectId}`, { accessLog: true });
    const { traceparent } = await (await server.fetch("shop", "/logged?secret=1")).json();
    let lines: { traceId: string; path: string; status: number }[] = [];
    await until("the request is in the log", async () => {
      lines = await server.api("GET", `/v1/projects/${projectId}/access_logs`);
      return lines.length > 0;
    });
    assert.deepEqual(lines.map(({ traceId, path, status }) => [traceId, path, status]), [
      [traceparent.split("-")[1], "/logged", 200],
    ]);
  });

  await t.step("a failure is an error of the span, and counted as one", async () => {
    const response = await server.fetch("shop", "/fail", {
      headers: { traceparent: `00-${"1".repeat(32)}-${VISITORS_SPAN}-00` },
    });
    await response.body?.cancel();
    await until("the span arrives", () => spansOf("1".repeat(32)).length > 0);
    const [span] = spansOf("1".repeat(32));
    assert.equal(span!.statusCode, 2);
    assert.equal(span!.attributes["error.type"], "503");
    await until(
      "the metrics arrive",
      () => {
        const requests = receiver.metrics.get("isola.runner/http.server.request.duration") ?? [];
        return requests.some(({ attributes, count }) => attributes["error.type"] === "503" && count === 1) &&
          (receiver.metrics.get("isola.control/isola.isolate.start.duration")?.[0]?.count ?? 0) >= 1 &&
          (receiver.metrics.get("isola.control/isola.isolates") ?? []).some(({ attributes, value }) =>
            attributes["isola.isolate.phase"] === "ready" && value === 1
          );
      },
      10_000,
      () =>
        JSON.stringify([...receiver.metrics].filter(([name]) => /isola/.test(name)), null, 1) + server.output,
    );
  });
});

Deno.test("a collector that takes everything and says nothing does not keep the server from ending", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = `http://127.0.0.1:${silent.addr.port}`;
  await using server = await startTestServer({
    env: { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_TIMEOUT: "60000" },
  });
  await server.deploy("shop", APP);
  await server.text("shop");
  const startedAt = performance.now();
  assert.equal((await server.kill("SIGTERM")).code, 0);
  assert.ok(performance.now() - startedAt < 10_000, "as long as INTERFACE allows");
});
