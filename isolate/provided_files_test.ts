import assert from "node:assert/strict";
import type { SandboxLevel } from "./enclosure.ts";
import { openSandboxHome, type SandboxHome } from "./home.ts";
import { providedProgram } from "./testing/provided_program.ts";
import { Trial } from "./testing/trial.ts";

const FILES = {
  "/hello.txt": "hello",
  "/etc/passwd": "own",
  "/assets/deep/a b.txt": "spaced",
  "/untouched.bin": "x".repeat(1000),
};

/** Serves what became of each attempt: its result, or the name or code of the error. */
const PROGRAM = `
  import fs, { createReadStream, readFile } from "node:fs";
  import fsp, { readFile as readPromised } from "node:fs/promises";
  import path from "node:path";
  import process from "node:process";
  import { promisify } from "node:util";
  const collect = async (things) => { const all = []; for await (const thing of things) all.push(thing); return all; };
  const attempts = {
    reads: {
      relative: () => Deno.readTextFile("./hello.txt"),
      absolute: () => Deno.readTextFile("/hello.txt"),
      url: () => Deno.readTextFile(new URL("../assets/deep/a%20b.txt", import.meta.url)),
      bytes: async () => (await Deno.readFile("hello.txt")).length,
      above: () => Deno.readTextFile("../../../hello.txt"),
      notTheMachines: () => Deno.readTextFile("/etc/passwd"),
      opened: async () => { using file = await Deno.open("/hello.txt"); return await new Response(file.readable).text(); },
      fetched: async () => { const response = await fetch("file:///hello.txt"); return [response.url, await response.text()]; },
      fetchedAnyhow: async () => await (await fetch(" FILE:/hello.txt")).text(),
      promised: () => readPromised("hello.txt", "utf8"),
      promisedUrl: () => fsp.readFile(new URL("file:///hello.txt"), { encoding: "utf8" }),
      called: () => promisify(readFile)("/hello.txt", "utf8"),
      streamed: async () => (await collect(createReadStream("/hello.txt", "utf8"))).join(""),
      handle: async () => { await using handle = await fsp.open("/hello.txt"); return String(await handle.readFile()); },
      blob: async () => await (await fs.openAsBlob("/hello.txt")).text(),
      gotten: () => process.getBuiltinModule("fs").promises.readFile("/hello.txt", "utf8"),
    },
    looks: {
      list: async () => (await collect(Deno.readDir("/"))).map(({ name, isFile }) => [name, isFile]).sort(),
      nodeList: () => fsp.readdir("/", { recursive: true }),
      entries: async () => (await fsp.readdir("/assets/deep", { withFileTypes: true })).map(({ name, parentPath }) => [name, parentPath]),
      directory: async () => (await collect(await fsp.opendir("/assets"))).map(({ name }) => name),
      stat: async () => { const { size, isFile, mode } = await Deno.stat("untouched.bin"); return [size, isFile, mode & 0o777]; },
      nodeStat: async () => (await fsp.stat("/untouched.bin")).size,
      access: async () => (await fsp.access("/untouched.bin", fs.constants.R_OK)) ?? "accessible",
      exists: async () => [await promisify(fs.exists)("/hello.txt"), await promisify(fs.exists)("/gone")],
      real: async () => [await Deno.realPath("assets/../hello.txt"), await fsp.realpath("hello.txt")],
      current: () => [Deno.cwd(), process.cwd(), path.resolve("x")],
    },
    failures: {
      gone: () => Deno.readTextFile("/gone"),
      nodeGone: () => fsp.readFile("/gone"),
      nodeGoneStat: () => fsp.stat("/gone"),
      directory: () => Deno.readTextFile("/assets"),
      index: () => Deno.readTextFile("/app/modules/index.json"),
      other: () => fetch("file:///gone"),
      host: () => fetch("file://host/hello.txt"),
      nul: () => Deno.stat("a\\0b"),
      long: () => Deno.stat("x".repeat(5000)),
    },
    refused: {
      sync: () => Deno.readTextFileSync("/hello.txt"),
      statSync: () => fs.statSync("/hello.txt"),
      readSync: () => fs.readFileSync("/hello.txt"),
      existsSync: () => fs.existsSync("/hello.txt"),
      write: () => Deno.writeTextFile("/hello.txt", "changed"),
      openToWrite: () => Deno.open("/hello.txt", { write: true }),
      remove: () => Deno.remove("/hello.txt"),
      nodeWrite: () => fsp.writeFile("/hello.txt", "changed"),
      nodeOpenToWrite: () => fsp.open("/hello.txt", "r+"),
      enter: () => Deno.chdir("/assets"),
      watch: () => Deno.watchFs("/"),
      nodeWatch: () => fs.watch("/hello.txt"),
    },
  };
  export default { async fetch(request) {
    const results = {};
    for (const [name, work] of Object.entries(attempts[new URL(request.url).pathname.slice(1)])) {
      try { results[name] = await work(); } catch (error) { results[name] = [error.code ?? error.name, error.message]; }
    }
    return Response.json(results);
  } };
`;

const READS = {
  relative: "hello",
  absolute: "hello",
  url: "spaced",
  bytes: 5,
  above: "hello",
  notTheMachines: "own",
  opened: "hello",
  fetched: ["file:///hello.txt", "hello"],
  fetchedAnyhow: "hello",
  promised: "hello",
  promisedUrl: "hello",
  called: "hello",
  streamed: "hello",
  handle: "hello",
  blob: "hello",
  gotten: "hello",
};
const LOOKS = {
  list: [["assets", false], ["etc", false], ["hello.txt", true], ["untouched.bin", true]],
  nodeList: [
    "assets",
    "etc",
    "hello.txt",
    "untouched.bin",
    "assets/deep",
    "etc/passwd",
    "assets/deep/a b.txt",
  ],
  entries: [["a b.txt", "/assets/deep"]],
  directory: ["deep"],
  stat: [1000, true, 0o444],
  nodeStat: 1000,
  access: "accessible",
  exists: [true, false],
  real: ["/hello.txt", "/hello.txt"],
  current: ["/", "/", "/x"],
};
const FAILURES: Record<string, [code: string, path?: string]> = {
  gone: ["ENOENT", "/gone"],
  nodeGone: ["ENOENT", "/gone"],
  nodeGoneStat: ["ENOENT", "/gone"],
  directory: ["EISDIR", "/assets"],
  index: ["ENOENT", "/app/modules/index.json"],
  other: ["TypeError", "file:///gone"],
  host: ["ERR_INVALID_FILE_URL_HOST"],
  nul: ["TypeError"],
  long: ["TypeError"],
};
const REFUSED = /^(NotSupported|PermissionDenied|NotCapable|EACCES|EPERM|ENOTSUP)$/;

async function assertSeen(trial: Trial) {
  assert.deepEqual(await trial.json("/reads"), READS);
  assert.deepEqual(await trial.json("/looks"), LOOKS);
  const failures = await trial.json("/failures") as Record<string, [string, string]>;
  for (const [name, [code, path]] of Object.entries(FAILURES)) {
    assert.equal(failures[name]?.[0], code, `${name}: ${failures[name]}`);
    if (path !== undefined) assert.match(failures[name]![1], new RegExp(`['"]${path}['"]`));
  }
  for (const [name, result] of Object.entries(await trial.json("/refused") as Record<string, [string]>)) {
    assert.match(result[0], REFUSED, `${name}: ${result}`);
  }
}

async function withHome(
  options: { strongest?: SandboxLevel; sharedHeapMb?: number },
  work: (home: SandboxHome) => Promise<void>,
) {
  const dataDir = await Deno.makeTempDir({ prefix: "isola-provided-" });
  {
    await using home = await openSandboxHome({
      ...options,
      dataDir,
      denoPath: Deno.execPath(),
      moduleIndexes: true,
    });
    await work(home);
  }
  await Deno.remove(dataDir, { recursive: true });
}

const program = providedProgram({ modules: { "file:///src/main.js": PROGRAM }, files: FILES });

for (const strongest of ["full", "landlock", "process"] as const) {
  Deno.test(`at level ${strongest} a program sees its provided files below a root of its own, and can change none`, () =>
    withHome({ strongest }, async (home) => {
      await using trial = await Trial.serve("", { home, program });
      await assertSeen(trial);
    }));
}

Deno.test("programs of one process have provided files each of its own", () =>
  withHome({ sharedHeapMb: 256 }, async (home) => {
    await using plain = await Trial.serve(
      `Deno.serve(async () => new Response(Deno.readTextFileSync("main.js").slice(0, 4)))`,
      {
        home,
        id: "plain",
      },
    );
    await using one = await Trial.serve("", { home, id: "one", program });
    const other = providedProgram({
      modules: {
        "file:///src/main.js": `
        export default { fetch: async () => new Response(await Deno.readTextFile("hello.txt")) };`,
      },
      files: { "/hello.txt": "other" },
    });
    await using two = await Trial.serve("", { home, id: "two", program: other });
    assert.equal(one.sandbox.pid, two.sandbox.pid);
    await assertSeen(one);
    assert.equal(await two.text(), "other");
    assert.equal(await plain.text(), "Deno");
  }));

/** Serves the outcome of the function `serve(request)` in `source`. */
const serving = (source: string) => ({
  "file:///src/main.js": `${source}
    export default { async fetch(request) {
      try { return Response.json(await serve(request)); } catch (error) { return Response.json([error.name, error.message]); }
    } };`,
});

Deno.test("a program follows links below its root", async () => {
  const modules = serving(`
    import fsp from "node:fs/promises";
    const serve = async () => [
      await Deno.readTextFile("/sub/link"), (await Deno.stat("/sub/link")).isFile, (await Deno.lstat("/sub/link")).isSymlink,
      await Deno.readLink("/sub/link"), await Deno.realPath("/sub/link"), await fsp.readFile("/sub/link", "utf8"),
      await fsp.readlink("/sub/link"),
    ];`);
  const provide = async (dir: string) => {
    if (await Deno.stat(`${dir}/files/sub`).then(() => true, () => false)) return;
    await Deno.mkdir(`${dir}/files/sub`);
    await Deno.writeTextFile(`${dir}/files/target.txt`, "linked");
    await Deno.symlink("../target.txt", `${dir}/files/sub/link`);
  };
  await using trial = await Trial.serve("", { program: providedProgram({ modules, provide }) });
  const expected = ["linked", true, true, "../target.txt", "/target.txt", "linked", "../target.txt"];
  assert.deepEqual(await trial.json(), expected);
});

Deno.test("each file is asked for once, and again if it could not be had", async () => {
  const asked: string[] = [];
  const provide = (_: string, path: string, content: boolean) => {
    asked.push(`${path} ${content}`);
    return asked.length === 1 ? Promise.reject(new Error("the origin is away")) : Promise.resolve();
  };
  const modules = serving(`
    const read = () => Deno.readTextFile("/a").catch((error) => error.name + (error.code ?? error.message));
    const serve = async () => [
      await Promise.all([read(), read()]), await Promise.all([read(), read()]), await read(),
      (await Array.fromAsync(Deno.readDir("/"))).length, await Deno.stat("/b").catch((error) => error.name),
    ];`);
  await using trial = await Trial.serve("", { program: providedProgram({ modules, provide }) });
  const away = "Errorthe origin is away";
  const gone = "NotFoundENOENT";
  assert.deepEqual(await trial.json(), [[away, away], [gone, gone], gone, 0, "NotFound"]);
  assert.deepEqual(asked, ["/a true", "/a true", "/ false"]);
});

Deno.test("a program may wait for a file for as long as it boots, before it serves, and give up waiting", async () => {
  const hold = Promise.withResolvers<void>();
  const modules = {
    "file:///src/main.js": `
      const reading = { signal: AbortSignal.timeout(1) };
      const [given] = await Promise.allSettled([Deno.readTextFile("/app/files/late", reading)]);
      const late = Deno.readTextFile("/app/files/late").catch((error) => error.message);
      console.log("waiting", given.reason?.name);
      late.then((text) => Deno.serve(() => new Response(text)));`,
  };
  await using trial = await Trial.start({ program: {} });
  const program = providedProgram({ modules, provide: () => hold.promise });
  const waiting = async () => {
    assert.equal((await trial.logged("waiting")).message, "waiting TimeoutError");
    setTimeout(hold.resolve, 1_200); // After a second without any work it would count as one that never serves.
  };
  await Promise.all([trial.assign("", { program }), waiting()]);
  assert.match(await trial.text(), /'\/app\/files\/late'/);
});

Deno.test("a program that wants many files at once gets them all", async () => {
  let open = 0;
  let most = 0;
  const provide = async (dir: string, path: string, content: boolean) => {
    most = Math.max(most, ++open);
    await Deno.writeTextFile(`${dir}/files${path}`, content ? path : "");
    open--;
  };
  const modules = serving(`
    const names = Array.from({ length: 500 }, (_, n) => "/" + n);
    const serve = async () => (await Promise.all(names.map((name) => Deno.readTextFile(name)))).every((text, n) => text === names[n]);`);
  await using trial = await Trial.serve("", { program: providedProgram({ modules, provide }) });
  assert.equal(await trial.json(), true);
  assert.ok(most <= 16, String(most));
});

Deno.test("neither answers that a program makes up nor other ways to a file open what is not there yet", async () => {
  const modules = serving(`
    const code = 'self.postMessage(await Deno.readTextFile("/app/files/untouched.bin").catch((error) => error.name))';
    const serve = async () => {
      const worker = new Worker("data:text/javascript," + encodeURIComponent(code), { type: "module" });
      const other = (await new Promise((resolve) => worker.onmessage = resolve)).data;
      const wanted = Deno.readTextFile("/untouched.bin");
      for (let id = 0; id < 100; id++) self.dispatchEvent(new MessageEvent("message", { data: { type: "file", id } }));
      return [await wanted.catch((error) => error.name), other];
    };`);
  const hold = Promise.withResolvers<void>();
  const program = providedProgram({ modules, provide: () => hold.promise });
  const populate = async (dir: string) => {
    await program.populate!(dir);
    await Deno.writeTextFile(`${dir}/files/untouched.bin`, "\0\0\0\0", { mode: 0 });
  };
  await using trial = await Trial.serve("", { program: { ...program, populate } });
  const answers = await trial.json() as string[];
  hold.resolve();
  for (const answer of answers) assert.match(answer, /^(NotFound|NotCapable|PermissionDenied)$/);
});

Deno.test("a sandbox that ends while its files are fetched leaves nothing behind, whoever is late", async () => {
  const fetching = Promise.withResolvers<void>();
  const hold = Promise.withResolvers<void>();
  const late = Promise.withResolvers<string>();
  const provide = async (dir: string) => {
    fetching.resolve();
    await hold.promise;
    await Deno.mkdir(`${dir}/files`, { recursive: true });
    late.resolve(dir);
  };
  const modules = serving(`const serve = () => Deno.stat("/a");`);
  await using trial = await Trial.serve("", { program: providedProgram({ modules, provide }) });
  const visit = trial.fetch().then((response) => response.body?.cancel(), () => {});
  await fetching.promise;
  assert.equal((await trial.sandbox.end("idle")).reason, "idle");
  await visit;
  hold.resolve();
  const dir = await late.promise;
  await gone(dir);
});

async function gone(path: string) {
  while (await Deno.lstat(path).then(() => true, () => false)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
