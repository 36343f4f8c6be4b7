import assert from "node:assert/strict";
import { OtlpLogs, type OtlpLogsOptions, type OtlpRecord } from "./otlp_logs.ts";
import { otlpTarget } from "./otlp_target.ts";

/** A collector that answers as it is told, and keeps what it took. */
class Collector implements AsyncDisposable {
  /** The next answers; afterwards, all is taken. */
  answers: Response[] = [];
  readonly requests: { at: number; headers: Headers; body: Record<string, unknown> }[] = [];
  readonly #server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    this.requests.push({ at: performance.now(), headers: request.headers, body: await request.json() });
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers();
    return this.answers.shift() ?? Response.json({});
  });
  #arrived = Promise.withResolvers<void>();

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/v1/logs`;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#arrived.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

const record = (body: string, changes: Partial<OtlpRecord> = {}): OtlpRecord => ({
  deploymentId: "d1",
  region: "fra",
  time: "2030-01-01T00:00:00.123Z",
  level: "warning",
  body,
  ...changes,
});

function open(collector: Collector, changes: Partial<OtlpLogsOptions> = {}): OtlpLogs {
  return new OtlpLogs({
    url: collector.url,
    headers: { "x-key": "secret" },
    resource: (deploymentId) => ({ "service.name": `service of ${deploymentId}` }),
    gatherMs: 5,
    minRetryMs: 10,
    ...changes,
  });
}

/** Runs `work` and returns what it printed as errors. */
async function errorsOf(work: () => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  const { error } = console;
  console.error = (...parts) => lines.push(parts.join(" "));
  try {
    await work();
  } finally {
    console.error = error;
  }
  return lines;
}

Deno.test("lines are sent as log records, one resource for each deployment", async () => {
  await using collector = new Collector();
  await using logs = open(collector);
  logs.add([
    record("one"),
    record("other", { deploymentId: "d2" }),
    record("two", { attributes: { status: 200 } }),
  ]);
  await collector.until(() => collector.requests.length === 1);
  const [{ headers, body }] = collector.requests as [typeof collector.requests[0]];
  assert.deepEqual([headers.get("x-key"), headers.get("content-type")], ["secret", "application/json"]);
  // deno-lint-ignore no-explicit-any -- JSON
  const resourceLogs = body.resourceLogs as any[];
  assert.deepEqual(
    resourceLogs.map(({ resource }) => resource.attributes),
    ["d1", "d2"].map((id) => [
      { key: "service.name", value: { stringValue: `service of ${id}` } },
      { key: "isola.deployment.id", value: { stringValue: id } },
      { key: "cloud.region", value: { stringValue: "fra" } },
    ]),
  );
  const records = resourceLogs[0].scopeLogs[0].logRecords;
  const { observedTimeUnixNano, ...second } = records[1];
  assert.match(observedTimeUnixNano, /^\d{19}$/);
  assert.deepEqual(second, {
    timeUnixNano: "1893456000123000000",
    severityNumber: 13,
    severityText: "WARN",
    body: { stringValue: "two" },
    attributes: [{ key: "status", value: { intValue: "200" } }],
  });
});

Deno.test("what a collector cannot take now is sent again, as late as it asks", async () => {
  await using collector = new Collector();
  await using logs = open(collector);
  collector.answers = [
    new Response("", { status: 503 }),
    new Response("", { status: 429, headers: { "retry-after": "1" } }),
  ];
  logs.add([record("one")]);
  await collector.until(() => collector.requests.length === 3);
  const [, second, third] = collector.requests;
  assert.ok(third!.at - second!.at >= 990, `${third!.at - second!.at} ms`);
  assert.deepEqual(third!.body, second!.body);
  await logs[Symbol.asyncDispose]();
  assert.deepEqual(logs.counts, { sent: 1, dropped: 0 });
});

Deno.test("what is refused, rejected or too much is dropped, counted and said", async () => {
  await using collector = new Collector();
  collector.answers = [
    new Response("", { status: 400 }),
    Response.json({ partialSuccess: { rejectedLogRecords: "2", errorMessage: "too old" } }),
  ];
  const logs = open(collector);
  const errors = await errorsOf(async () => {
    logs.add(Array.from({ length: 20_003 }, (_, index) => record(`${index}`)));
    await logs[Symbol.asyncDispose]();
  });
  assert.deepEqual(logs.counts, { sent: 20_000 - 256 - 2, dropped: 3 + 256 + 2 });
  const { host } = new URL(collector.url);
  assert.deepEqual(errors, [
    `Cannot send 259 log records to "${host}": the collector answered 400`,
    `Cannot send 2 log records to "${host}": the collector rejected them: too old`,
  ]);
});

Deno.test("a collector that lies gets nothing counted wrong, nothing held and nothing on a terminal", async () => {
  await using collector = new Collector();
  const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)) });
  const errorMessage = `\x1b[2J\nERROR${"!".repeat(100_000)}`;
  collector.answers = [
    Response.json({ partialSuccess: { rejectedLogRecords: -5 } }),
    Response.json({ partialSuccess: { rejectedLogRecords: 7, errorMessage: errorMessage.slice(0, 10_000) } }),
    new Response(endless),
  ];
  const logs = open(collector);
  const errors = await errorsOf(async () => {
    for (let count = 1; count <= 3; count++) {
      logs.add([record(`${count}`)]);
      await collector.until(() => collector.requests.length === count);
    }
    await logs[Symbol.asyncDispose]();
  });
  assert.deepEqual(logs.counts, { sent: 2, dropped: 1 });
  assert.match(
    errors.join("\n"),
    /^Cannot send 1 log records to "[^"]+": the collector rejected them: {2}\[2J ERROR!{490,500}$/,
  );
});

Deno.test("a collector that is not there, or hangs, holds nothing up", async () => {
  const hung = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const errors = await errorsOf(async () => {
    const logs = open({ url: `http://127.0.0.1:${hung.addr.port}/` } as Collector, { closeTimeoutMs: 100 });
    logs.add([record("one")]);
    await logs[Symbol.asyncDispose]();
    assert.deepEqual(logs.counts, { sent: 0, dropped: 1 });
    logs.add([record("late")]);
  });
  hung.close();
  assert.match(errors.join(), /^Cannot send 1 log records to "127.0.0.1:\d+": /);
});

Deno.test("where logs are sent is in the configuration, or in OpenTelemetry's variables", () => {
  const config = { endpoint: "https://a.example/base/", headers: { a: "1" } };
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://b.example:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20x, b=2",
  };
  assert.deepEqual(otlpTarget(config, env), { url: "https://a.example/base/v1/logs", headers: { a: "1" } });
  assert.deepEqual(otlpTarget(null, env), {
    url: "http://b.example:4318/v1/logs",
    headers: { authorization: "Bearer x", b: "2" },
  });
  const own = {
    ...env,
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "http://c.example/x",
    OTEL_EXPORTER_OTLP_LOGS_HEADERS: "c=3",
  };
  assert.deepEqual(otlpTarget(null, own), { url: "http://c.example/x", headers: { c: "3" } });
  assert.equal(otlpTarget(null, {}), null);
  assert.equal(otlpTarget(null, { ...env, OTEL_SDK_DISABLED: "true" }), null);
  assert.equal(otlpTarget(null, { ...env, OTEL_LOGS_EXPORTER: "none" }), null);
  assert.throws(
    () => otlpTarget(null, { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }),
    /must be an http or https URL/,
  );
  assert.throws(
    () => otlpTarget(null, { ...env, OTEL_EXPORTER_OTLP_HEADERS: "secret" }),
    (error: Error) =>
      !error.message.includes("secret") && /must be "name=value,name=value"/.test(error.message),
  );
});
