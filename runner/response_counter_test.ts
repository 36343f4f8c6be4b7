import assert from "node:assert/strict";
import { AppIsolate } from "./testing/app_isolate.ts";
import { RawVisitor } from "./testing/raw_visitor.ts";
import { startTestRunner } from "./testing/test_runner.ts";

Deno.test("responses are counted by status, and error pages by code, each once", async () => {
  await using app = AppIsolate.serving((request) =>
    new Response(null, { status: new URL(request.url).pathname === "/gone" ? 410 : 204 })
  );
  await using test = await startTestRunner({ acquire: app.socketPath });
  for (
    const [path, host] of [["/", "localhost"], ["/", "localhost"], ["/gone", "localhost"], ["/", "nowhere"]]
  ) {
    using visitor = await RawVisitor.send(
      test.port,
      `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`,
    );
    await visitor.receiveAll();
  }
  await test.runner.drain(0);
  const byClass = [0, 0, 0, 0, 0, 0];
  const errors: Record<string, number> = {};
  for (const told of test.responses) {
    for (const [digit, count] of told.byClass.entries()) byClass[digit]! += count;
    for (const [code, count] of Object.entries(told.errors)) errors[code] = (errors[code] ?? 0) + count;
  }
  assert.deepEqual(byClass, [0, 0, 2, 0, 2, 0]);
  assert.deepEqual(errors, { DEPLOYMENT_NOT_FOUND: 1 });
});
