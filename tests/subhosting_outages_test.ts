import assert from "node:assert/strict";
import { Load } from "./load.ts";
import { newSecret, RelayedServer } from "./relayed_server.ts";
import { until } from "./server.ts";

const APP = `Deno.serve(async (request) => {
  console.log("asked for", new URL(request.url).pathname);
  return new Response(await Deno.readTextFile("/hello.txt"));
});`;
const DEPLOYMENT = { "main.js": APP, "files/hello.txt": "Hello" };

async function errorCode(relayed: RelayedServer, id: string): Promise<[status: number, code: string]> {
  const response = await relayed.fetch(id, "/", { headers: { accept: "application/json" } });
  return [response.status, (await response.json()).code];
}

Deno.test("while the origin is away, deployments that were asked for once go on; it has their events when it is back", async () => {
  await using relayed = await RelayedServer.start({ deployments: { kept: DEPLOYMENT, late: DEPLOYMENT } });
  assert.equal(await relayed.text("kept", "/before"), "Hello");
  await until("the origin has the log", () => relayed.events.includes("asked for /before"));
  await relayed.stopOrigin();
  assert.equal(await relayed.text("kept", "/away"), "Hello");
  await relayed.restartServer();
  assert.equal(await relayed.text("kept", "/restarted"), "Hello");
  assert.deepEqual(await errorCode(relayed, "late"), [503, "ORIGIN_UNAVAILABLE"]);
  await relayed.restartServer();
  await relayed.startOrigin();
  const told = () => [...relayed.events.matchAll(/ (\w+) (bootFailure|log: info asked for \S+)/g)];
  const isComplete = () =>
    /kept log: info asked for \/restarted[^]*late bootFailure: .*boot/.test(relayed.events);
  await until("it has the events", isComplete, 30_000, () => relayed.events);
  const logs = told().filter(([, id]) => id === "kept").map(([, , what]) => what);
  assert.deepEqual(logs, ["log: info asked for /away", "log: info asked for /restarted"]);
  const hello = async () => await (await relayed.fetch("late")).text() === "Hello";
  await until("the other deployment is there", hello);
});

Deno.test("the secret is changed under load, and no visitor notices", async () => {
  await using relayed = await RelayedServer.start({ deployments: { shop: DEPLOYMENT } });
  const load = new Load();
  for (let visitor = 0; visitor < 4; visitor++) {
    load.add("visitor", async () => assert.equal(await relayed.text("shop"), "Hello"));
  }
  const answeredMore = async () => {
    const before = load.answered;
    await until("visitors are answered", () => load.answered > before + 50);
  };
  await answeredMore();
  const old = relayed.secret;
  const next = newSecret();
  await relayed.takeOver({ nextSecret: next });
  await relayed.stopOrigin();
  await relayed.startOrigin({ NEXT_SECRET: next });
  relayed.secret = next;
  await relayed.startRelay();
  await answeredMore();
  await relayed.stopRelay();
  await relayed.takeOver({ secret: next });
  await answeredMore();
  await load.end();
  const response = await relayed.ask(await relayed.sign("shop", { secret: old }));
  await response.body?.cancel();
  assert.equal(response.status, 401);
});
