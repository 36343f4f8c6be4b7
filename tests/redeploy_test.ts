import assert from "node:assert/strict";
import { startTestServer } from "./server.ts";

const VISITORS = 8;
const SWITCHES = 20;

function version(name: string): string {
  // Slow enough that every switch meets requests in flight.
  return `Deno.serve(async () => { await new Promise((r) => setTimeout(r, 10)); return new Response("${name}"); });`;
}

Deno.test("Switching production back and forth under load fails no request", async () => {
  await using server = await startTestServer();
  const deployments = [
    await server.deploy("switch", version("one")),
    await server.deploy("switch", version("two")),
  ];
  let over = false;
  const counts = new Map<string, number>();
  const visitor = async () => {
    while (!over) {
      const response = await server.fetch("switch");
      const text = await response.text();
      assert.equal(response.status, 200, text);
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
  };
  const visitors = Promise.all(Array.from({ length: VISITORS }, visitor));
  try {
    for (let index = 0; index < SWITCHES; index++) {
      const wanted = index % 2;
      await server.api("POST", `/v1/deployments/${deployments[wanted]!.id}/promote`);
      assert.equal(await server.text("switch"), ["one", "two"][wanted], `after promotion ${index}`);
    }
  } finally {
    over = true;
  }
  await visitors;
  assert.deepEqual([...counts.keys()].sort(), ["one", "two"]);
});

Deno.test("A new deployment under load takes over without a failed request", async () => {
  await using server = await startTestServer();
  await server.deploy("renew", version("0"));
  let over = false;
  const seen = new Set<string>();
  const visitor = async () => {
    while (!over) {
      const response = await server.fetch("renew");
      assert.equal(response.status, 200);
      seen.add(await response.text());
    }
  };
  const visitors = Promise.all(Array.from({ length: VISITORS }, visitor));
  try {
    for (let index = 1; index <= 3; index++) {
      await server.deploy("renew", version(String(index)), { production: true });
      assert.equal(await server.text("renew"), String(index));
    }
  } finally {
    over = true;
  }
  await visitors;
  assert.deepEqual([...seen].sort(), ["0", "1", "2", "3"]);
});
