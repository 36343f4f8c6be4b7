import assert from "node:assert/strict";
import type { SandboxLevel } from "./enclosure.ts";
import { openSandboxHome, type SandboxHome } from "./home.ts";
import { type Sandbox, startSandbox } from "./sandbox.ts";
import { Trial, type TrialFiles, type TrialOptions } from "./testing/trial.ts";

/** Several programs in one process. */
class Neighbours implements AsyncDisposable {
  readonly home: SandboxHome;
  readonly #dataDir: string;
  readonly #trials: Trial[] = [];

  private constructor(home: SandboxHome, dataDir: string) {
    this.home = home;
    this.#dataDir = dataDir;
  }

  static async start(
    options: { layers?: "auto" | "off"; strongest?: SandboxLevel; allowPrivate?: string[] } = {},
  ): Promise<Neighbours> {
    const dataDir = await Deno.makeTempDir({ prefix: "isola-shared-" });
    const home = await openSandboxHome({
      ...options,
      dataDir,
      denoPath: Deno.execPath(),
      sharedHeapMb: 256,
    });
    return new Neighbours(home, dataDir);
  }

  async blank(id: string, options: TrialOptions = {}): Promise<Trial> {
    const trial = await Trial.start({ ...options, home: this.home, id });
    this.#trials.push(trial);
    return trial;
  }

  async serve(id: string, files: TrialFiles, options: TrialOptions = {}): Promise<Trial> {
    const trial = await this.blank(id, options);
    await trial.assign(files, options);
    return trial;
  }

  async [Symbol.asyncDispose]() {
    for (const trial of this.#trials) await trial[Symbol.asyncDispose]();
    await this.home[Symbol.asyncDispose]();
    await Deno.remove(this.#dataDir, { recursive: true });
  }
}

const VIEW = `
  import fs, { readFileSync } from "node:fs";
  import { readFile } from "node:fs/promises";
  import path from "node:path";
  import process from "node:process";
  const attempt = async (work) => {
    try { return await work(); } catch (error) { return error.name; }
  };
  const read = {
    sync: () => Deno.readTextFileSync("own.txt"),
    async: () => Deno.readTextFile("./own.txt"),
    nodeSync: () => readFileSync("own.txt", "utf8"),
    node: () => readFile("own.txt", "utf8"),
    callback: () => new Promise((resolve, reject) => fs.readFile("own.txt", "utf8", (error, text) => error ? reject(error) : resolve(text))),
    list: () => [...Deno.readDirSync(".")].map(({ name }) => name).sort(),
    real: async () => (await Deno.realPath(".")) === Deno.cwd(),
    opened: async () => { using file = await Deno.open("own.txt"); return await new Response(file.readable).text(); },
  };
  const { env } = process;
  Deno.serve(async (request) => {
    const other = new URL(request.url).searchParams.get("other");
    if (request.method === "PUT") {
      Deno.env.set("CHANGED", "1");
      env.ADDED = "2";
      Deno.chdir("below");
    }
    const results = {};
    for (const [name, work] of Object.entries(read)) results[name] = await attempt(work);
    return Response.json({
      results,
      env: [Deno.env.toObject(), { ...env }, env.NAME, "HOME" in env, Deno.env.has("PATH")],
      cwd: [Deno.cwd(), process.cwd(), path.resolve("x")].map((dir) => dir.replace(/^.*(?=.app)/, "")),
      other: await attempt(() => Deno.readTextFile(other)),
    });
  });
`;

for (const strongest of ["full", "landlock", "process"] as const) {
  Deno.test(`programs of one process at level ${strongest} have an environment, a directory and files each of its own`, async () => {
    await using neighbours = await Neighbours.start({ strongest });
    const names = ["a", "b"];
    const trials = await Promise.all(
      names.map((name) =>
        neighbours.serve(
          name,
          { "main.js": VIEW, "own.txt": `of ${name}`, "below/own.txt": `below ${name}` },
          { env: { NAME: name } },
        )
      ),
    );
    const [a, b] = trials.map(({ sandbox }) => sandbox);
    assert.equal(a!.pid, b!.pid);
    for (let round = 0; round < 2; round++) {
      for (const [index, name] of names.entries()) {
        const text = `of ${name}`;
        const list = ["below", "main.js", "own.txt"];
        const other = `${neighbours.home.shared!.inside.programsDir}/${names[1 - index]}/app/own.txt`;
        const answer = await trials[index]!.json(`/?other=${other}`);
        assert.deepEqual(answer, {
          results: {
            sync: text,
            async: text,
            nodeSync: text,
            node: text,
            callback: text,
            list,
            real: true,
            opened: text,
          },
          env: [{ NAME: name }, { NAME: name }, name, false, false],
          cwd: ["/app", "/app", "/app/x"],
          other: "NotCapable",
        });
      }
    }
    const changed = await trials[0]!.text("/?other=x", { method: "PUT" });
    const { results, env: [env] } = JSON.parse(changed);
    assert.deepEqual([results.node, env], ["below a", { NAME: "a", CHANGED: "1", ADDED: "2" }]);
    const { results: same, env: [sameEnv] } = await trials[1]!.json("/?other=x") as {
      results: { node: string };
      env: unknown[];
    };
    assert.deepEqual([same.node, sameEnv], ["of b", { NAME: "b" }]);
  });
}

const HELLO = `Deno.serve(() => new Response("hello"))`;

const drain = (response: Response) => response.body?.cancel();
const visit = (trial: Trial) => trial.fetch().then(drain, () => {});

const ENDS: Record<string, { source: string; reason: string; end?: (trial: Trial) => unknown }> = {
  "is ended": { source: HELLO, reason: "idle", end: ({ sandbox }) => sandbox.end("idle") },
  "exits": { source: `Deno.serve(() => Deno.exit(3))`, reason: "exited" },
  "exits by node:process": {
    source: `import process from "node:process"; Deno.serve(() => process.exit(3));`,
    reason: "exited",
  },
  "does not catch an error": {
    source: `Deno.serve(() => { setTimeout(() => { throw new Error("no luck") }); return new Response() })`,
    reason: "exited",
  },
  "rejects a promise that nobody handles": {
    source: `Deno.serve(() => { void Promise.reject(new Error("no luck")); return new Response() })`,
    reason: "exited",
  },
  "closes its Worker": {
    source: `Deno.serve(() => self.close())`,
    reason: "exited",
  },
  "closes its server": {
    source: `const server = Deno.serve(() => { void server.shutdown(); return new Response() })`,
    reason: "exited",
  },
};

for (
  const [what, { source, reason, end = visit }] of Object.entries(ENDS)
) {
  Deno.test(`a program that ${what} leaves the others of its process alone, and nothing behind`, async () => {
    await using neighbours = await Neighbours.start();
    const other = await neighbours.serve("other", HELLO);
    const trial = await neighbours.serve("trial", source);
    await end(trial);
    assert.equal((await trial.sandbox.ended).reason, reason);
    for (
      const dir of [neighbours.home.shared!.outside.socketsDir, neighbours.home.shared!.outside.programsDir]
    ) {
      await assert.rejects(Deno.stat(`${dir}/trial`), Deno.errors.NotFound);
    }
    assert.equal(await other.text(), "hello");
    const again = await neighbours.serve("again", HELLO);
    assert.equal(again.sandbox.pid, other.sandbox.pid);
    assert.equal(await again.text(), "hello");
  });
}

const FATAL: Record<string, { source: string; reason: string; end?: "time_limit" | "memory_limit" }> = {
  "computes without end": {
    source: `Deno.serve(() => { setTimeout(() => { for (;;); }); return new Response(); })`,
    reason: "time_limit",
    end: "time_limit",
  },
  "uses too much memory": { source: HELLO, reason: "memory_limit", end: "memory_limit" },
  "fills its heap": {
    source: `Deno.serve(() => { const hoard = []; for (;;) hoard.push(new Array(100_000).fill({})); })`,
    reason: "crashed",
  },
};

const BUSY_MS = 50;

async function busy(sandbox: Sandbox) {
  const { cpuMs } = sandbox.measure();
  while (sandbox.measure().cpuMs < cpuMs + BUSY_MS) await new Promise((resolve) => setTimeout(resolve, 5));
}

for (const [what, { source, reason, end }] of Object.entries(FATAL)) {
  Deno.test(`a program that ${what} ends its process, whose other programs crash and can be started again`, async () => {
    await using neighbours = await Neighbours.start();
    const other = await neighbours.serve("other", HELLO);
    const trial = await neighbours.serve("trial", source);
    await visit(trial);
    // A Worker that is ended before its program computes stops as any other.
    if (end === "time_limit") await busy(trial.sandbox);
    if (end !== undefined) await trial.sandbox.end(end);
    assert.equal((await trial.sandbox.ended).reason, reason);
    const { reason: otherReason, detail } = await other.sandbox.ended;
    assert.equal(otherReason, "crashed");
    if (end !== undefined) assert.match(detail, /^SIGKILL, because of another program in its process/);
    const again = await neighbours.serve("again", HELLO);
    assert.equal(await again.text(), "hello");
    assert.notEqual(again.sandbox.pid, other.sandbox.pid);
  });
}

Deno.test("each program of a process connects by its own policy, and its bytes are its own", async () => {
  const size = 100_000;
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response("x".repeat(size)),
  );
  const { port } = server.addr;
  const source = `
    import http from "node:http";
    const read = {
      fetch: async () => (await (await fetch("http://localhost:${port}")).text()).length,
      event: () => new Promise((resolve) => { const source = new EventSource("http://localhost:${port}"); source.onerror = () => { source.close(); resolve("answered") } }),
      node: () => new Promise((resolve, reject) => http.get("http://localhost:${port}", (response) => { let n = 0; response.on("data", (part) => n += part.length).on("end", () => resolve(n)) }).on("error", reject)),
    };
    Deno.serve(async () => {
      const results = {};
      for (const [name, work] of Object.entries(read)) {
        try { results[name] = await work(); } catch (error) { results[name] = error.name; }
      }
      return Response.json(results);
    });
  `;
  await using _ = { [Symbol.asyncDispose]: () => server.shutdown() };
  await using neighbours = await Neighbours.start({ allowPrivate: ["localhost"] });
  const open = await neighbours.serve("open", source);
  const closed = await neighbours.serve("closed", source, { net: [] });
  const last = await neighbours.serve("last", source, { net: [`localhost:${port}`] });
  const all = { fetch: size, event: "answered", node: size };
  assert.deepEqual(await open.json(), all);
  assert.deepEqual(await closed.json(), { fetch: "NotCapable", event: "answered", node: "NotCapable" });
  assert.deepEqual(await last.json(), all);
  for (const trial of [open, closed, last]) await trial.sandbox.end("idle");
  const ingress = [open, closed, last].map(({ sandbox }) => sandbox.traffic().ingressBytes);
  assert.equal(ingress[1], 0);
  assert.ok(ingress[0]! > 2 * size && ingress[2]! > 2 * size, String(ingress));
});

Deno.test("CPU time is counted for each program, memory in equal shares", async () => {
  await using neighbours = await Neighbours.start();
  const burn =
    `Deno.serve(() => { const end = performance.now() + 300; while (performance.now() < end); return new Response(); })`;
  const idle = await neighbours.serve("idle", HELLO);
  const busy = await neighbours.serve("busy", burn);
  await drain(await busy.fetch());
  const [spent, rested] = [busy.sandbox.measure(), idle.sandbox.measure()];
  // Of 300 ms on a loaded machine.
  assert.ok(spent.cpuMs > 60 && spent.cpuMs < 400, `${spent.cpuMs}`);
  assert.ok(rested.cpuMs < 60, `${rested.cpuMs}`);
  assert.ok(spent.memoryBytes > 0);
  assert.equal(spent.memoryBytes, rested.memoryBytes);
  await busy.sandbox.end("idle");
  assert.ok(busy.sandbox.measure().cpuMs >= spent.cpuMs);
});

Deno.test("broadcast channels of one program are not another's", async () => {
  const source = `
    const channel = new BroadcastChannel("news");
    const heard = [];
    channel.onmessage = ({ data }) => heard.push(data);
    Deno.serve(async (request) => {
      const { searchParams } = new URL(request.url);
      const name = searchParams.get("name");
      const twin = new BroadcastChannel("news");
      const own = new Promise((resolve) => twin.onmessage = ({ data }) => resolve(data));
      if (name) channel.postMessage(name);
      const echo = name ? await own : null;
      twin.close();
      return Response.json([channel.name, heard, echo]);
    });
  `;
  await using neighbours = await Neighbours.start();
  const one = await neighbours.serve("one", source);
  const two = await neighbours.serve("two", source);
  assert.deepEqual(await one.json("/?name=one"), ["news", [], "one"]);
  assert.deepEqual(await two.json("/?name=two"), ["news", [], "two"]);
  assert.deepEqual(await one.json(), ["news", [], null]);
  assert.deepEqual(await two.json(), ["news", [], null]);
});

Deno.test("a program with a heap of its own size has a process of its own", async () => {
  await using neighbours = await Neighbours.start();
  const small = await neighbours.serve("small", HELLO);
  const options = { home: neighbours.home, id: "large", maxHeapMb: 257, net: true as const, onLog: () => {} };
  await using large = await startSandbox(options);
  assert.notEqual(large.pid, small.sandbox.pid);
});

Deno.test("many programs start and end at once", async () => {
  await using neighbours = await Neighbours.start();
  const trials = await Promise.all(
    Array.from({ length: 12 }, (_, n) => neighbours.serve(`n${n}`, `Deno.serve(() => new Response("${n}"))`)),
  );
  assert.deepEqual(await Promise.all(trials.map((trial) => trial.text())), trials.map((_, n) => String(n)));
  const ends = await Promise.all(trials.slice(1).map(({ sandbox }) => sandbox.end("idle")));
  assert.deepEqual(new Set(ends.map(({ reason }) => reason)), new Set(["idle"]));
  assert.equal(await trials[0]!.text(), "0");
});
