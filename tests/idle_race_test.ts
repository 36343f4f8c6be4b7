import assert from "node:assert/strict";
import { SeededRandom } from "./seeded_random.ts";
import { appSource, startTestServer, type TestServer } from "./server.ts";

const IDLE_MS = 50;
const SEED = 20261121;
const DEPLOYMENTS = 4;
const REQUESTS = 40;

/** One visitor who comes back around the moment at which the isolate of `host` is ended; the isolates that answered. */
async function visit(server: TestServer, host: string, random: SeededRandom): Promise<Set<string>> {
  const born = new Set<string>();
  for (let i = 0; i < REQUESTS; i++) {
    await new Promise((resolve) => setTimeout(resolve, random.below(3 * IDLE_MS)));
    const method = random.pick(["GET", "POST"]);
    const response = await server.fetch(host, "/", { method, body: method === "POST" ? "body" : undefined });
    const text = await response.text();
    assert.equal(response.status, 200, `seed ${SEED}, ${host}, request ${i}: ${text}`);
    born.add(JSON.parse(text).born);
  }
  return born;
}

for (const runners of [1, 2]) {
  Deno.test(`requests that race with the end of idle isolates are all served, with ${runners} runners`, async () => {
    await using server = await startTestServer({
      env: { ISOLA_IDLE_TIMEOUT_MS: String(IDLE_MS), ISOLA_RUNNERS: String(runners) },
    });
    const hosts = Array.from({ length: DEPLOYMENTS }, (_, i) => `racing${i}`);
    for (const host of hosts) await server.deploy(host, appSource("life.ts"));
    const isolates = await Promise.all(
      hosts.map((host, i) => visit(server, host, new SeededRandom(SEED + i))),
    );
    for (const born of isolates) assert(born.size > 3, `${born.size} isolates`);
  });
}
