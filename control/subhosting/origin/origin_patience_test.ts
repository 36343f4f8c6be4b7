import assert from "node:assert/strict";
import { flapping, type OriginFault, silent, slowBody, status } from "../testing/origin_faults.ts";
import { TestOrigin } from "../testing/test_origin.ts";
import { MAX_FAILURES } from "./circuit.ts";
import { CALL_TIMEOUT_MS, HEADERS_TIMEOUT_MS } from "./origin_client.ts";
import type { OriginError } from "./origin_error.ts";
import { MAX_CALLS_AT_ONCE } from "./origin_gate.ts";
import { MAX_ORIGINS } from "./subhoster_origins.ts";
import { clientOf } from "./testing/client_of.ts";
import { TurnClock } from "./testing/turn_clock.ts";

const SECRET = "a secret of enough length, for tests";
const STEP_MS = 50;

function startOrigin(): Promise<TestOrigin> {
  return TestOrigin.start({ secret: SECRET, deployments: { d: { code: "export default {}" } } });
}

const bootCalls = (origin: TestOrigin) => origin.calls.length;

Deno.test("A call that may go better is made up to three times", async (t) => {
  await using origin = await startOrigin();
  const cases: [name: string, fault: OriginFault, calls: number, code: string][] = [
    ["500", status(500), 3, "unavailable"],
    ["503", status(503), 3, "unavailable"],
    ["429", status(429), 3, "unavailable"],
    ["503 with little patience", status(503, { "retry-after": "1" }), 3, "unavailable"],
    ["503 with much patience", status(503, { "retry-after": "7" }), 1, "unavailable"],
    ["400", status(400), 1, "invalid"],
  ];
  for (const [name, fault, calls, code] of cases) {
    await t.step(name, async () => {
      const clock = new TurnClock();
      using client = clientOf(origin, { clock });
      origin.fault = () => fault;
      const before = bootCalls(origin);
      const error: OriginError = await clock.pass(STEP_MS, client.boot(origin.origin, "d")).then(
        () => assert.fail(),
        (error) => error,
      );
      assert.deepEqual([error.code, bootCalls(origin) - before], [code, calls]);
      const patience = /patience/.test(name) ? (calls === 3 ? 1_000 : 7_000) : undefined;
      assert.equal(error.retryAfterMs, patience);
      assert.equal(clock.pending, 0);
    });
  }
  await t.step("an origin that flaps", async () => {
    const clock = new TurnClock();
    using client = clientOf(origin, { clock });
    origin.fault = flapping(status(502));
    for (let i = 0; i < MAX_FAILURES + 1; i++) await clock.pass(STEP_MS, client.boot(origin.origin, "d"));
    assert.deepEqual(client.states()[0]?.failures, 0);
  });
});

Deno.test("A connection that is closed without an answer is tried again", async () => {
  await using origin = await startOrigin();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let connections = 0;
  const closing = (async () => {
    for await (const connection of listener) {
      connections++;
      await connection.read(new Uint8Array(1));
      connection.close();
    }
  })();
  const rpcRoot = `http://127.0.0.1:${listener.addr.port}/`;
  const clock = new TurnClock();
  using client = clientOf(origin, { clock, rpcRoots: [rpcRoot] });
  const call = client.boot({ subhosterId: "acme", rpcRoot }, "d");
  await assert.rejects(clock.pass(STEP_MS, call), {
    code: "unavailable",
    message: new RegExp(`^Cannot GET boot of deployment "d" at "${rpcRoot}": it cannot be reached: [^/]+$`),
  });
  assert.equal(connections, 3);
  listener.close();
  await closing;
});

Deno.test("An origin has a bounded time", async (t) => {
  await using origin = await startOrigin();
  const clock = new TurnClock();
  using client = clientOf(origin, { clock });

  await t.step("to begin its answer, each try", async () => {
    origin.fault = () => silent;
    const before = clock.now();
    await assert.rejects(clock.pass(100, client.boot(origin.origin, "d")), {
      code: "unavailable",
      message: /no answer came within 5000ms/,
    });
    assert.equal(bootCalls(origin), 3);
    const tookMs = clock.now() - before;
    assert.ok(tookMs >= 3 * HEADERS_TIMEOUT_MS && tookMs < CALL_TIMEOUT_MS, `took ${tookMs}ms`);
  });

  await t.step("to end it", async () => {
    origin.fault = () => slowBody;
    const before = clock.now();
    await assert.rejects(clock.pass(100, client.boot(origin.origin, "d")), {
      code: "unavailable",
      message: /it was not done within 20000ms/,
    });
    assert.equal(bootCalls(origin), 4, "it was not asked again: its answer had begun");
    assert.ok(clock.now() - before >= CALL_TIMEOUT_MS);
  });

  await t.step("and the more, the larger a blob is", async () => {
    const path = await Deno.makeTempFile({ prefix: "i7-origin-" });
    await Deno.remove(path);
    const blob = { deploymentId: "d", hash: "h", size: 60_000_000 };
    const before = clock.now();
    await assert.rejects(clock.pass(500, client.readBlob(origin.origin, blob, path)), /within 80000ms/);
    assert.ok(clock.now() - before >= 80_000);
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  });
  assert.equal(clock.pending, 0);
});

Deno.test("An origin that is away is left alone, and then tried by one call", async () => {
  await using origin = await startOrigin();
  const clock = new TurnClock();
  using client = clientOf(origin, { clock });
  const boot = () => clock.pass(STEP_MS, client.boot(origin.origin, "d"));
  const openness = () => client.states()[0]?.circuit;

  origin.fault = () => status(500);
  for (let i = 0; i < MAX_FAILURES + 1; i++) await assert.rejects(boot());
  assert.equal(openness(), "closed", "what fails in one call may go well in another");

  await origin.stop();
  for (let i = 0; i < MAX_FAILURES; i++) await assert.rejects(boot(), { code: "unavailable" });
  assert.equal(openness(), "open");
  const nowMs = clock.now();
  await assert.rejects(client.boot(origin.origin, "d"), (error: OriginError) => {
    assert.match(error.message, /it is left alone for a while, because calls have failed \(Cannot GET boot/);
    return error.code === "unavailable" && error.retryAfterMs! > 0 && error.retryAfterMs! <= 1_000;
  });
  assert.equal(clock.now(), nowMs, "that took no time");

  origin.fault = () => silent;
  origin.restart();
  const before = bootCalls(origin);
  clock.advance(1_000);
  const trial = client.boot(origin.origin, "d");
  assert.equal(openness(), "half-open");
  await assert.rejects(client.boot(origin.origin, "d"), { code: "unavailable" });
  await assert.rejects(clock.pass(STEP_MS, trial), { code: "unavailable" });
  assert.equal(bootCalls(origin), before + 1, "the trial is not repeated");
  assert.equal(openness(), "open");

  const givenUp = new AbortController();
  clock.advance(2_000);
  const abandoned = client.boot(origin.origin, "d", givenUp.signal);
  givenUp.abort(new Error("nobody waits"));
  await assert.rejects(abandoned, /nobody waits/);

  origin.fault = () => undefined;
  await client.boot(origin.origin, "d");
  assert.equal(openness(), "closed");
});

Deno.test("A deployment that fails again and again keeps no other of its origin out, several do", async () => {
  await using origin = await startOrigin();
  using client = clientOf(origin);
  origin.fault = ({ deploymentId }) =>
    deploymentId === "d" ? undefined : status(503, { "retry-after": "60" });
  const fail = (deploymentId: string) =>
    assert.rejects(client.boot(origin.origin, deploymentId), { code: "unavailable" });
  for (let i = 0; i < 3 * MAX_FAILURES; i++) await fail("broken");
  await client.boot(origin.origin, "d");
  for (let i = 0; i < MAX_FAILURES; i++) await fail(`broken-${i}`);
  assert.equal(client.states()[0]?.circuit, "open");
});

Deno.test("Calls beyond so many at once wait for their turn", async () => {
  await using origin = await startOrigin();
  const clock = new TurnClock();
  using client = clientOf(origin, { clock });
  let release = () => {};
  const released = new Promise<void>((resolve) => release = resolve);
  let atOnce = 0;
  let mostAtOnce = 0;
  origin.fault = () => async (right) => {
    mostAtOnce = Math.max(mostAtOnce, ++atOnce);
    await released;
    atOnce--;
    return await right();
  };
  const impatient = new AbortController();
  const calls = Array.from({ length: 2 * MAX_CALLS_AT_ONCE }, () => client.boot(origin.origin, "d"));
  const late = client.boot(origin.origin, "d", impatient.signal);
  while (atOnce < MAX_CALLS_AT_ONCE) await new Promise((resolve) => setTimeout(resolve, 0));
  impatient.abort(new Error("nobody waits"));
  await assert.rejects(late, /nobody waits/);
  release();
  await Promise.all(calls);
  assert.equal(mostAtOnce, MAX_CALLS_AT_ONCE);
  assert.equal(bootCalls(origin), calls.length);
});

Deno.test("Answers are held within a bound, which what is read gives back", async () => {
  await using origin = await TestOrigin.start({
    secret: SECRET,
    deployments: { d: { code: new Uint8Array(19 * 2 ** 20) } },
  });
  using client = clientOf(origin);
  const boot = () => client.boot(origin.origin, "d").then(({ body }) => body.length);
  const { promise: refused, resolve: refuse } = Promise.withResolvers<Error>();
  // None is whole before one was refused.
  origin.fault = () => async (right) => {
    const { headers, body } = await right();
    const ending = new TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>({
      flush: async (controller) => {
        await refused;
        controller.enqueue(new Uint8Array(1));
      },
    });
    return new Response(body!.pipeThrough(ending), { headers });
  };
  const calls = Array.from({ length: 8 }, () => boot().catch(refuse));
  assert.match((await refused).message, /answers of more than 134217728 bytes came at once/);
  await Promise.all(calls);
  assert.equal(await boot(), 19 * 2 ** 20 + 1);
});

Deno.test("As many origins of a subhoster are remembered as there is a bound", async () => {
  await using origin = await startOrigin();
  using client = clientOf(origin);
  for (let i = 0; i < MAX_ORIGINS + 3; i++) {
    const rpcRoot = `${origin.rpcRoot}${i}/`;
    await assert.rejects(client.boot({ subhosterId: "acme", rpcRoot }, "d"), { code: "not_found" });
  }
  const roots = client.states().map(({ origin }) => origin.rpcRoot);
  assert.equal(roots.length, MAX_ORIGINS);
  assert.deepEqual([roots[0], roots.at(-1)], [`${origin.rpcRoot}3/`, `${origin.rpcRoot}${MAX_ORIGINS + 2}/`]);
});

Deno.test("A client that is disposed of ends its calls", async () => {
  await using origin = await startOrigin();
  origin.fault = () => silent;
  const client = clientOf(origin);
  const call = client.boot(origin.origin, "d");
  while (origin.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  client[Symbol.dispose]();
  await assert.rejects(call, { code: "unavailable", message: /this server stops/ });
});
