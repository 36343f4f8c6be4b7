import assert from "node:assert/strict";
import { startTestApi, type TestApi } from "../../api/testing/test_api.ts";
import type { AppLog } from "../../model.ts";
import { ApiClient } from "../client.ts";
import { LogTail } from "./log_tail.ts";
import { mergeByTime } from "./merge_by_time.ts";

/** What stands between a client and a server, and can be cut. */
class Line implements AsyncDisposable {
  readonly #target: string;
  #server: Deno.HttpServer<Deno.NetAddr>;
  #cut = new AbortController();

  constructor(target: string) {
    this.#target = target;
    this.#server = this.#listen(0);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Ends every connection, and takes no new ones. */
  async cut(): Promise<void> {
    this.#cut.abort();
    await this.#server.shutdown();
  }

  mend(): void {
    this.#cut = new AbortController();
    this.#server = this.#listen(this.#server.addr.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }

  #listen(port: number): Deno.HttpServer<Deno.NetAddr> {
    const { signal } = this.#cut;
    return Deno.serve({ hostname: "127.0.0.1", port, signal, onListen() {} }, async (request) => {
      const { pathname, search } = new URL(request.url);
      const { status, headers, body } = await fetch(this.#target + pathname + search, {
        headers: request.headers,
        signal,
      });
      return new Response(body, { status, headers });
    });
  }
}

let count = 0;

function line(message: string): AppLog {
  return { time: new Date(Date.now() + count++).toISOString(), level: "info", message, region: "local" };
}

/** The lines of a deployment, followed over a line that can be cut. */
async function withTail(
  work: (
    tools: { api: TestApi; id: string; wire: Line; tail: LogTail<AppLog>; signal: AbortSignal },
  ) => Promise<void>,
): Promise<void> {
  await using api = await startTestApi();
  const id = await api.deployment(await api.project("shop"));
  await using wire = new Line(api.url);
  const stop = new AbortController();
  using client = new ApiClient({ url: wire.url, token: api.token, signal: stop.signal, retryDelayMs: 5 });
  const source = { path: `/v1/deployments/${id}/app_logs`, query: { level: "info" } };
  try {
    await work({ api, id, wire, tail: new LogTail<AppLog>({ client, source }), signal: stop.signal });
  } finally {
    stop.abort();
  }
}

async function next(lines: AsyncIterator<AppLog, void>): Promise<string | undefined> {
  return (await lines.next()).value?.message;
}

Deno.test("a tail misses no line, and shows none twice, when its server is away for a while", () =>
  withTail(async ({ api, id, wire, tail, signal }) => {
    const [past, same] = [line("past"), line("same")];
    api.logs.app.append(id, [past, same, same]);
    const lines = tail.follow({ newest: 100 }, signal);
    assert.deepEqual([await next(lines), await next(lines), await next(lines)], ["past", "same", "same"]);
    for (const round of ["first", "second"]) {
      const waiting = next(lines);
      api.logs.app.append(id, [line(`live ${round}`)]);
      assert.equal(await waiting, `live ${round}`);
      const missed = next(lines);
      await wire.cut();
      api.logs.app.append(id, [same, line(`missed ${round}`), { ...line("not wanted"), level: "error" }]);
      wire.mend();
      assert.equal(await missed, "same");
      assert.equal(await next(lines), `missed ${round}`);
    }
    const ended = next(lines);
    await api.call("DELETE", `/v1/deployments/${id}`);
    api.logs.end(id);
    assert.equal(await ended, undefined);
  }));

Deno.test("a whole log is read, oldest line first, whatever its length", () =>
  withTail(async ({ api, id, tail }) => {
    const written = Array.from({ length: 2500 }, (_, index) => line(`${index}`));
    api.logs.app.append(id, written);
    const since = written[0]!.time;
    const until = written[2400]!.time;
    const read = await Array.fromAsync(tail.past({ since, until }));
    assert.deepEqual(
      read.map(({ message }) => message),
      written.slice(0, 2401).map(({ message }) => message),
    );
    assert.deepEqual((await Array.fromAsync(tail.past({ newest: 2 }))).map(({ message }) => message), [
      "2498",
      "2499",
    ]);
  }));

Deno.test("the lines of several logs are one, by time", async () => {
  const log = (...times: string[]) => ReadableStream.from(times.map((time) => ({ time })));
  const merged = await Array.fromAsync(mergeByTime([log("1", "4", "5"), log(), log("2", "4", "9")]));
  assert.deepEqual(merged.map(({ line }) => line.time), ["1", "2", "4", "4", "5", "9"]);
});
