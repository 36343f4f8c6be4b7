import assert from "node:assert/strict";
import { HandoverOffer } from "./handover_offer.ts";
import { takePlace } from "./handover_request.ts";
import { DataLock } from "../store/data_lock.ts";

/** A server that does no more than to have the data directory. */
class TestServer implements AsyncDisposable {
  readonly events: string[] = [];
  releasing: (() => Promise<void>) | undefined;
  readonly offer: HandoverOffer;
  readonly #lock: DataLock;
  #tookBack = Promise.withResolvers<void>();

  constructor(dataDir: string) {
    const lock = this.#lock = new DataLock(dataDir);
    lock.take();
    this.offer = new HandoverOffer({
      dataDir,
      release: async () => {
        await this.releasing?.();
        this.events.push("released");
        lock.release();
      },
      takeBack: () => {
        lock.take();
        this.events.push("took back");
        this.#tookBack.resolve();
        this.#tookBack = Promise.withResolvers();
        return Promise.resolve();
      },
    });
  }

  get tookBack(): Promise<void> {
    return this.#tookBack.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.offer[Symbol.asyncDispose]();
    this.#lock.release();
  }
}

async function inTempDir(work: (dir: string) => Promise<void>) {
  const dir = await Deno.makeTempDir({ prefix: "isola-handover-" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What is meant for the log, until disposed. */
function silence(): Disposable {
  const { error } = console;
  console.error = () => {};
  return { [Symbol.dispose]: () => console.error = error };
}

Deno.test("where no server runs, there is no place to take", () =>
  inTempDir(async (dir) => {
    assert.equal(await takePlace(dir), null);
    await using _server = new TestServer(dir);
    await _server[Symbol.asyncDispose]();
    assert.equal(await takePlace(dir), null);
  }));

Deno.test("a server gives its data directory, and ends when the other one says so", () =>
  inTempDir(async (dir) => {
    using _silence = silence();
    await using old = new TestServer(dir);
    using predecessor = await takePlace(dir);
    assert.deepEqual(old.events, ["released"]);
    await using young = new TestServer(dir);
    assert.equal(old.offer.superseded.aborted, false);
    const superseded = new Promise((resolve) => old.offer.superseded.onabort = resolve);
    const ended = predecessor!.end();
    await superseded;
    await old[Symbol.asyncDispose]();
    await ended;
    assert.deepEqual(old.events, ["released"]);
    using next = await takePlace(dir);
    assert.deepEqual([next !== null, young.events], [true, ["released"]]);
    const { tookBack } = young;
    next![Symbol.dispose]();
    await tookBack;
  }));

Deno.test("a server goes on when the other one ends before it serves, and can be asked again", () =>
  inTempDir(async (dir) => {
    using _silence = silence();
    await using server = new TestServer(dir);
    for (let attempt = 0; attempt < 2; attempt++) {
      const { tookBack } = server;
      using predecessor = await takePlace(dir);
      assert.notEqual(predecessor, null);
      predecessor![Symbol.dispose]();
      await tookBack;
    }
    assert.deepEqual(server.events, ["released", "took back", "released", "took back"]);
    assert.equal(server.offer.superseded.aborted, false);
  }));

Deno.test("a server that fails to let go takes all back, and is asked again", () =>
  inTempDir(async (dir) => {
    using _silence = silence();
    await using server = new TestServer(dir);
    let failures = 1;
    server.releasing = () => failures-- > 0 ? Promise.reject(new Error("on purpose")) : Promise.resolve();
    const { tookBack } = server;
    using predecessor = await takePlace(dir);
    assert.deepEqual([predecessor !== null, server.events], [true, ["took back", "released"]]);
    await tookBack;
  }));

Deno.test("a server that ends while it hands over waits for nobody", () =>
  inTempDir(async (dir) => {
    await using server = new TestServer(dir);
    using predecessor = await takePlace(dir);
    await server[Symbol.asyncDispose]();
    await assert.doesNotReject(predecessor!.end().catch(() => {}));
    assert.deepEqual(server.events, ["released"]);
  }));
