import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { until } from "../../supervisor/testing/test_supervisor.ts";
import type { Origin, SubhostingEvent } from "../model.ts";
import { OriginClient } from "../origin/origin_client.ts";
import { OriginError } from "../origin/origin_error.ts";
import { TurnClock } from "../origin/testing/turn_clock.ts";
import { status } from "../testing/origin_faults.ts";
import { TestOrigin } from "../testing/test_origin.ts";
import { EventCourier } from "./event_courier.ts";
import { EventSpool } from "./event_spool.ts";
import { logEvent, ORIGIN, said, usageEvent } from "./testing/test_events.ts";

/** What an origin got in one batch. */
interface Post {
  origin: Origin;
  said: string[];
  atMs: number;
}

/** A spool, a courier on a clock of its own, and an origin that does with a batch as it is told. */
class TestCourier implements AsyncDisposable {
  readonly dir = Deno.makeTempDirSync({ prefix: "isola-courier-" });
  readonly clock = new TurnClock();
  readonly spool = EventSpool.open(this.dir);
  readonly posts: Post[] = [];
  /** All tries. */
  tries = 0;
  /** Of the wall clock, beside the machine's. */
  aheadMs: number | null = null;
  answer: (post: Post) => Promise<void> | void = () => {};
  readonly courier = new EventCourier({
    spool: this.spool,
    clock: this.clock,
    wallClock: { steadyMs: () => this.aheadMs === null ? null : Date.now() + this.aheadMs },
    post: async (origin, gzipped) => {
      this.tries++;
      const post = { origin, said: linesOf(gzipped), atMs: this.clock.now() };
      await this.answer(post);
      this.posts.push(post);
    },
  });

  async append(count: number, origin = ORIGIN, from = 0) {
    for (let i = 0; i < count; i++) this.spool.append(origin, logEvent(`${from + i}`));
    await this.spool.settle();
  }

  /** Lets time pass, so much in each turn, until a condition is met. */
  async until(what: string, condition: () => boolean, stepMs = 50) {
    await this.clock.pass(stepMs, until(what, condition));
  }

  /** What arrived, one event after the other. */
  get arrived(): string[] {
    return this.posts.flatMap((post) => post.said);
  }

  async [Symbol.asyncDispose]() {
    await this.courier.stop();
    this.spool[Symbol.dispose]();
    await Deno.remove(this.dir, { recursive: true });
  }
}

function linesOf(gzipped: Uint8Array): string[] {
  const text = gunzipSync(gzipped).toString();
  assert.ok(text.endsWith("\n"));
  return text.trimEnd().split("\n").map((line) => said(JSON.parse(line) as SubhostingEvent));
}

const lines = (count: number) => Array.from({ length: count }, (_, index) => `log ${index}`);

Deno.test("a lone event is sent at once, many in full batches, one after the other, in order", async () => {
  await using test = new TestCourier();
  test.courier.start();
  await test.append(1);
  await test.until("it arrived", () => test.posts.length === 1);
  assert.ok(test.posts[0]!.atMs <= 500, `${test.posts[0]!.atMs}ms`);
  let inFlight = 0;
  test.answer = async () => {
    assert.equal(++inFlight, 1);
    await new Promise((resolve) => setTimeout(resolve, 0));
    inFlight--;
  };
  await test.append(3_500, ORIGIN, 1);
  await test.until("they arrived", () => test.arrived.length === 3_501);
  assert.deepEqual(test.arrived, lines(3_501));
  assert.ok(test.posts.every((post) => post.said.length <= 1_000));
  assert.ok(test.posts.length <= 6, `${test.posts.length} posts`);
  assert.deepEqual(test.courier.stats(), [{
    subhosterId: "acme",
    pendingEvents: 0,
    pendingBytes: 0,
    delivered: 3_501,
    dropped: 0,
    lastError: null,
  }]);
});

Deno.test("a subhoster whose origins all take their time keeps no other waiting", async () => {
  await using test = new TestCourier();
  const stopped = Promise.withResolvers<void>();
  test.answer = ({ origin }) => origin.subhosterId === "acme" ? stopped.promise : undefined;
  for (let root = 0; root < 40; root++) {
    test.spool.append({ ...ORIGIN, rpcRoot: `${ORIGIN.rpcRoot}${root}/` }, logEvent("slow"));
  }
  await test.append(1, { ...ORIGIN, subhosterId: "other" });
  test.courier.start();
  await test.until("the other's arrived", () => test.arrived.length === 1);
  assert.ok(test.tries < 32, `${test.tries} tries`);
  stopped.resolve();
  await test.until("all arrived", () => test.arrived.length === 41);
});

Deno.test("an origin that is away gets everything when it is back, and no other waits for it", async () => {
  await using test = new TestCourier();
  const other: Origin = { subhosterId: "other", rpcRoot: ORIGIN.rpcRoot };
  let isAway = true;
  test.answer = ({ origin }) => {
    if (isAway && origin.subhosterId === "acme") throw new OriginError("unavailable", "Cannot POST events");
  };
  test.courier.start();
  await test.append(5);
  await test.append(5, other);
  await test.until("it was tried often", () => test.tries >= 8, 1_000);
  assert.ok(test.clock.now() > 30_000, "it was tried all the time");
  assert.deepEqual(test.posts.map(({ origin }) => origin), [other]);
  const stats = test.courier.stats().find(({ subhosterId }) => subhosterId === "acme")!;
  assert.deepEqual([stats.pendingEvents, stats.lastError?.message], [5, "Cannot POST events"]);
  isAway = false;
  await test.until("it arrived", () => test.posts.length === 2, 1_000);
  assert.deepEqual(test.posts[1]!.said, lines(5));
});

Deno.test("an origin that finds a batch too large gets smaller ones, and a single event like that is dropped", async () => {
  await using test = new TestCourier();
  test.answer = (post) => {
    if (post.said.length > 30 || post.said.includes("log 7")) {
      throw new OriginError("invalid", "Cannot POST events", { status: 413 });
    }
  };
  await test.append(200);
  test.courier.start();
  await test.until("all is told", () => test.spool.waiting().length === 0);
  const told = test.arrived.filter((text) => !text.includes("dropped"));
  assert.deepEqual(told, lines(200).filter((text) => text !== "log 7"));
  assert.equal(test.arrived.filter((text) => text.startsWith("log 1 events dropped")).length, 1);
  assert.equal(test.courier.stats()[0]!.dropped, 1);
});

Deno.test("what waited for more than a week is dropped, if the clock can be believed, and that is told", async () => {
  await using test = new TestCourier();
  const weekMs = 7 * 24 * 60 * 60_000;
  test.answer = () => {
    throw new OriginError("unavailable", "Cannot POST events");
  };
  await test.append(1_500);
  test.courier.start();
  await test.until("it was tried", () => test.tries === 2);
  test.aheadMs = weekMs - 60_000;
  await test.until("it was tried", () => test.tries === 3);
  test.aheadMs = weekMs + 60_000;
  await test.until("all is dropped", () => test.spool.waiting().length === 0);
  test.answer = () => {};
  test.aheadMs = 0;
  await test.append(1);
  await test.until("it arrived", () => test.arrived.length === 2);
  assert.match(test.arrived[0]!, /^log 1500 events dropped/);
  assert.deepEqual([test.arrived[1], test.courier.stats()[0]!.dropped], ["log 0", 1_500]);
});

Deno.test("what arrived without anybody knowing is sent again by the next server, and nothing is lost", async () => {
  await using test = new TestCourier();
  const got: string[] = [];
  test.answer = (post) => {
    got.push(...post.said);
    throw new OriginError("unavailable", "the connection was closed before it answered");
  };
  await test.append(3);
  test.courier.start();
  await test.until("it was sent", () => test.tries === 1);
  await test.courier.stop();
  test.spool.append(ORIGIN, usageEvent(1));
  test.spool[Symbol.dispose]();
  using spool = EventSpool.open(test.dir);
  const clock = new TurnClock();
  await using courier = new EventCourier({
    spool,
    clock,
    post: (_origin, gzipped) => Promise.resolve(void got.push(...linesOf(gzipped))),
  });
  courier.start();
  await clock.pass(50, until("it is told", () => spool.waiting().length === 0));
  assert.deepEqual(got, [...lines(3), ...lines(3), "usage 1"]);
});

Deno.test("stopping waits for the batch in flight, and sends no other", async () => {
  await using test = new TestCourier();
  const answer = Promise.withResolvers<void>();
  test.answer = () => answer.promise;
  await test.append(2_000);
  test.courier.start();
  await test.until("it is in flight", () => test.tries === 1);
  const stopped = test.courier.stop();
  answer.resolve();
  await stopped;
  assert.deepEqual(test.arrived, lines(1_000));
  assert.equal(test.spool.waiting()[0]!.events, 1_000);
  assert.equal(test.clock.pending, 0);
});

Deno.test("at most 32 origins are posted to at one time, each gets its turn", async () => {
  await using test = new TestCourier();
  let inFlight = 0;
  let most = 0;
  test.answer = async () => {
    most = Math.max(most, ++inFlight);
    await new Promise((resolve) => setTimeout(resolve, 1));
    inFlight--;
  };
  for (let i = 0; i < 100; i++) {
    test.spool.append({ subhosterId: `s${i}`, rpcRoot: ORIGIN.rpcRoot }, logEvent("hello"));
  }
  await test.spool.settle();
  test.courier.start();
  await test.until("all is told", () => test.posts.length === 100);
  assert.equal(new Set(test.posts.map(({ origin }) => origin.subhosterId)).size, 100);
  assert.ok(most > 1 && most <= 32, `${most}`);
});

Deno.test("an origin that comes and goes gets each event in order, over real connections", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-courier-" });
  try {
    const secret = "s".repeat(32);
    await using origin = await TestOrigin.start({ secret });
    using client = new OriginClient({ subhosters: [origin.subhoster] });
    using spool = EventSpool.open(dir);
    const clock = new TurnClock();
    await using courier = new EventCourier({
      spool,
      clock,
      post: (to, gzipped, signal) => client.postEvents(to, gzipped, signal),
    });
    courier.start();
    const told = () => origin.events.map(said);
    let count = 0;
    const append = async () => {
      for (let i = 0; i < 10; i++) spool.append(origin.origin, logEvent(`${count++}`));
      await spool.settle();
    };
    const arrives = () => clock.pass(50, until("it arrived", () => told().length === count));
    await append();
    await arrives();
    await origin.stop();
    await append();
    await clock.pass(50, until("it was tried", () => courier.stats()[0]!.lastError !== null));
    origin.restart();
    await arrives();
    let faults = 0;
    origin.fault = ({ rpc }) => rpc === "events" && faults++ < 2 ? status(503) : undefined;
    await append();
    await arrives();
    assert.deepEqual(told(), lines(count));
    assert.deepEqual(origin.refusals, []);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
