import assert from "node:assert/strict";
import { startTestServer, type TestServer } from "./server.ts";

const VISITORS = 8;
const SWITCHES = 20;

function version(name: string): string {
  // Slow enough that every switch meets requests in flight.
  return `Deno.serve(async () => { await new Promise((r) => setTimeout(r, 10)); return new Response("${name}"); });`;
}

/** Asks for a host again and again while `work` goes on: each request has to succeed. Returns what was answered, sorted. */
async function visitedDuring(server: TestServer, host: string, work: () => Promise<void>): Promise<string[]> {
  let over = false;
  const seen = new Set<string>();
  const visitor = async () => {
    while (!over) {
      const response = await server.fetch(host);
      const text = await response.text();
      assert.equal(response.status, 200, text);
      seen.add(text);
    }
  };
  const visitors = Promise.all(Array.from({ length: VISITORS }, visitor));
  try {
    await work();
  } finally {
    over = true;
  }
  await visitors;
  return [...seen].sort();
}

Deno.test("Switching production, or where a domain leads, back and forth under load fails no request", async () => {
  await using server = await startTestServer();
  const deployments = [
    await server.deploy("switch", version("one")),
    await server.deploy("switch", version("two")),
  ];
  const switchEach = async (host: string, switchTo: (id: string) => Promise<unknown>) => {
    for (let index = 0; index < SWITCHES; index++) {
      const wanted = index % 2;
      await switchTo(deployments[wanted]!.id);
      assert.equal(await server.text(host), ["one", "two"][wanted], `after switch ${index}`);
    }
  };
  const promote = (id: string) => server.api("POST", `/v1/deployments/${id}/promote`);
  const production = await visitedDuring(server, "switch", () => switchEach("switch", promote));
  assert.deepEqual(production, ["one", "two"]);

  const domain = "shop.example.com";
  const attach = (id: string) => server.api("PUT", `/v1/deployments/${id}/domains/${domain}`);
  await attach(deployments[0]!.id);
  assert.deepEqual(await visitedDuring(server, domain, () => switchEach(domain, attach)), ["one", "two"]);
});

Deno.test("A new deployment under load takes over without a failed request", async () => {
  await using server = await startTestServer();
  await server.deploy("renew", version("0"));
  const seen = await visitedDuring(server, "renew", async () => {
    for (let index = 1; index <= 3; index++) {
      await server.deploy("renew", version(String(index)), { production: true });
      assert.equal(await server.text("renew"), String(index));
    }
  });
  assert.deepEqual(seen, ["0", "1", "2", "3"]);
});
