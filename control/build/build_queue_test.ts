import assert from "node:assert/strict";
import { join } from "node:path";
import { BuildBench } from "../../tests/built_app.ts";
import { OperatorHome } from "./testing/operator_home.ts";

/** A registry that never answers: a build that asks it runs until it is ended. */
class SilentRegistry implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #home: OperatorHome;
  readonly #packages = new Map<
    string,
    { asked: PromiseWithResolvers<void>; gone: PromiseWithResolvers<void> }
  >();

  constructor() {
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
      const name = decodeURIComponent(new URL(request.url).pathname).split("/").at(-1)!;
      const { asked, gone } = this.#package(name);
      request.signal.addEventListener("abort", () => gone.resolve());
      asked.resolve();
      await gone.promise;
      return new Response();
    });
    this.#home = new OperatorHome(`@isola-nobody:registry=http://127.0.0.1:${this.#server.addr.port}/`);
  }

  /** The operator's settings. */
  get env(): Record<string, string> {
    return this.#home.env;
  }

  /** An app that needs a package of this registry. */
  app(name: string): Record<string, string> {
    return { "main.ts": `import "npm:@isola-nobody/${name}@1";` };
  }

  /** Resolves when the package is asked for. */
  asked(name: string): Promise<void> {
    return this.#package(name).asked.promise;
  }

  /** Resolves when the process that asked has ended. */
  gone(name: string): Promise<void> {
    return this.#package(name).gone.promise;
  }

  #package(name: string) {
    const found = this.#packages.get(name) ??
      { asked: Promise.withResolvers<void>(), gone: Promise.withResolvers<void>() };
    this.#packages.set(name, found);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    this.#home[Symbol.dispose]();
  }
}

/** What there is of builds in a data directory, caches apart. */
function left(dataDir: string): string[] {
  return Array.from(Deno.readDirSync(join(dataDir, "build")), ({ name }) => join(dataDir, "build", name))
    .flatMap((place) => Array.from(Deno.readDirSync(place), ({ name }) => name))
    .filter((name) => name !== "deno").sort();
}

Deno.test("A build that takes too long fails, and its processes end", async () => {
  await using registry = new SilentRegistry();
  await using bench = await BuildBench.open({ timeoutMs: 1000, env: registry.env });
  const { status, log } = await bench.build("slow", { files: registry.app("slow") });
  assert.equal(status, "failed");
  assert.deepEqual(log, [{ level: "error", message: "Cannot build within 1 s" }]);
  await registry.gone("slow");
  await bench.builds[Symbol.asyncDispose]();
  assert.deepEqual(left(bench.dir), []);
});

Deno.test("Two builds run at once; a cancelled one ends without a result and makes room", async () => {
  await using registry = new SilentRegistry();
  await using bench = await BuildBench.open({ env: registry.env });
  const results: string[] = [];
  for (const name of ["first", "second", "third"]) {
    const { finished } = await bench.submit(name, { files: registry.app(name) });
    void finished.then(({ status }) => results.push(`${name} ${status}`));
  }
  await Promise.all([registry.asked("first"), registry.asked("second")]);
  assert.deepEqual(left(bench.dir), ["first", "second"]);
  bench.builds.cancel("first");
  await registry.gone("first");
  await registry.asked("third");
  assert.deepEqual(results, []);
});

Deno.test("A deployment that waits and is cancelled is not built", async () => {
  await using registry = new SilentRegistry();
  await using bench = await BuildBench.open({ env: registry.env });
  for (const name of ["first", "second", "third"]) await bench.submit(name, { files: registry.app(name) });
  await Promise.all([registry.asked("first"), registry.asked("second")]);
  bench.builds.cancel("third");
  const fourth = bench.build("fourth", { files: { "main.ts": "Deno.serve(() => new Response());" } });
  bench.builds.cancel("first");
  assert.equal((await fourth).status, "success");
  let asked = false;
  void registry.asked("third").then(() => asked = true);
  await Promise.resolve();
  assert.equal(asked, false);
});

Deno.test("Closing ends the builds that run, and no result is recorded", async () => {
  await using registry = new SilentRegistry();
  const results: string[] = [];
  {
    await using bench = await BuildBench.open({ env: registry.env });
    void bench.build("running", { files: registry.app("running") }).then(({ status }) =>
      results.push(status)
    );
    await registry.asked("running");
  }
  await registry.gone("running");
  assert.deepEqual(results, []);
});

Deno.test("Who has a build running lets others go first, and cannot fill the queue alone", async () => {
  await using registry = new SilentRegistry();
  await using bench = await BuildBench.open({ env: registry.env });
  const submit = (id: string, name: string) => bench.submit(id, { files: registry.app(name) });
  await submit("a:1", "first");
  await submit("a:2", "second");
  await Promise.all([registry.asked("first"), registry.asked("second")]);
  await submit("a:3", "third");
  await submit("b:1", "other");
  bench.builds.cancel("a:1");
  await registry.asked("other");
  for (let n = 0; n < 499; n++) bench.builds.submit(`a:waiting${n}`);
  assert.throws(() => bench.builds.submit("a:more"), /500 builds of its organization are waiting/);
  bench.builds.submit("b:2");
});

Deno.test("More builds than may wait are refused", async () => {
  await using registry = new SilentRegistry();
  await using bench = await BuildBench.open({ env: registry.env });
  for (const name of ["first", "second"]) await bench.submit(name, { files: registry.app(name) });
  await Promise.all([registry.asked("first"), registry.asked("second")]);
  for (let n = 0; n < 1000; n++) bench.builds.submit(`waiting${n}`);
  assert.throws(() => bench.builds.submit("one more"), /1000 builds are waiting/);
});

Deno.test("A killed server leaves no process of a build, and what it left on disk is removed at the next start", async () => {
  await using registry = new SilentRegistry();
  const dir = await Deno.makeTempDir({ prefix: "isola-build-test-" });
  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.resolve("../../tests/build_server.ts"), dir],
    env: registry.env,
    stdin: "piped",
    stdout: "null",
  }).spawn();
  const writer = server.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(registry.app("orphan"))));
  await writer.close();
  await registry.asked("orphan");
  server.kill("SIGKILL");
  await server.status;
  await registry.gone("orphan");
  // What it left is taken over, and removed, by the next one.
  await using _bench = await BuildBench.open({ dir });
  assert.deepEqual(left(dir), []);
});
