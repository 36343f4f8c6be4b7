import assert from "node:assert/strict";
import { BuildBench } from "../../tests/built_app.ts";
import { commandLines } from "../../tests/processes.ts";
import { NO_VIEW } from "./file_view.ts";
import { runBuildCommand } from "./run_build_command.ts";
import { HAS_NAMESPACES } from "./testing/has_namespaces.ts";

const confinedTest = (name: string, fn: (t: Deno.TestContext) => Promise<void>) =>
  Deno.test({ name, ignore: !HAS_NAMESPACES, fn });

const SERVES_DIST = `
const read = (path: string) => Deno.readTextFileSync(new URL("./dist/" + path, import.meta.url));
export default { fetch: (request: Request) => new Response(read(new URL(request.url).pathname.slice(1))) };
`;
/** What a program finds out about where it runs, as `dist/probe.json`. */
const PROBE = `
const tried = async (use) => { try { return await use() ?? true; } catch (error) { return error.name; } };
const found = {
  cache: await tried(() => Deno.writeTextFile(Deno.env.get("DENO_DIR") + "/npm/poison", "")),
  etc: await tried(() => Deno.readTextFile("/etc/passwd")),
  loopback: await tried(async () => void (await fetch("http://127.0.0.1:" + Deno.args[0])).body?.cancel()),
  namespaces: (() => {
    const libc = Deno.dlopen("libc.so.6", { unshare: { parameters: ["i32"], result: "i32" } });
    return libc.symbols.unshare(0x10000000) === 0;
  })(),
  shell: await tried(() => new Deno.Command("/bin/sh").output()),
  uid: Deno.uid() === 0,
};
Deno.mkdirSync("dist");
Deno.symlinkSync("/etc/passwd", "dist/leak");
Deno.writeTextFileSync("dist/probe.json", JSON.stringify(found));
`;

confinedTest("What a build command writes is deployed", async (t) => {
  await using bench = await BuildBench.open();
  await t.step("with packages, variables and its output in the log", async () => {
    const { status, log, image, answers } = await bench.build("tools", {
      files: {
        "main.ts": SERVES_DIST,
        "deno.json": JSON.stringify({
          imports: { ms: "npm:ms@2.1.3" },
          tasks: { build: "mkdir dist && deno run -A build.ts && cp main.ts dist/copy.txt" },
        }),
        "build.ts": `import ms from "ms";
          console.log("Hello from", Deno.env.get("PLACE"), Deno.env.get("CI"));
          Deno.writeTextFileSync("dist/second", String(ms("1s")));`,
      },
      buildCommand: "deno task build && echo made > dist/made",
      variables: { PLACE: "the build" },
      ask: ["/second", "/made", "/copy.txt"],
    });
    const messages = log.map(({ message }) => message);
    assert.equal(status, "success", messages.join("\n"));
    assert.deepEqual(answers, { "/second": "1000", "/made": "made\n", "/copy.txt": SERVES_DIST });
    assert.ok(messages.includes("Running deno task build && echo made > dist/made"));
    assert.ok(messages.includes("Hello from the build true"), messages.join("\n"));
    const written = Object.keys(image!.files).filter((path) => !path.startsWith(".isola/"));
    assert.deepEqual(written.sort(), ["dist/copy.txt", "dist/made", "dist/second"]);
  });
  await t.step("its entry point as well", async () => {
    const { answers } = await bench.build("generated", {
      files: { "deno.json": "{}" },
      entrypoint: "out/server.ts",
      buildCommand:
        `mkdir out && echo 'export default { fetch: () => new Response("generated") };' > out/server.ts`,
    });
    assert.deepEqual(answers, { "/": "generated" });
  });
  await t.step("with package.json and what its scripts run", async () => {
    const { log, answers } = await bench.build("bundled", {
      files: {
        "src/app.ts": 'export default { fetch: () => new Response("by esbuild" satisfies string) };\n',
        "package.json": JSON.stringify({
          scripts: { build: "esbuild src/app.ts --bundle --format=esm --outfile=dist/app.js" },
          devDependencies: { esbuild: "0.28.2" },
        }),
      },
      entrypoint: "dist/app.js",
      buildCommand: "npm run build",
    });
    assert.deepEqual(answers, { "/": "by esbuild" }, log.map(({ message }) => message).join("\n"));
  });
});

confinedTest("A build command that fails, fails the build", async () => {
  await using bench = await BuildBench.open();
  const { status, log } = await bench.build("failing", {
    files: { "main.ts": SERVES_DIST },
    buildCommand: "echo Lost && exit 3",
  });
  assert.equal(status, "failed");
  assert.deepEqual(log.slice(-2), [
    { level: "info", message: "Lost" },
    { level: "error", message: 'Cannot build: "echo Lost && exit 3" failed with exit code 3' },
  ]);
});

confinedTest("A build command that leaves too much is refused before that is read", async (t) => {
  await using bench = await BuildBench.open();
  const cases: [string, string, RegExp][] = [
    [
      "holes",
      `Deno.createSync("hole").truncateSync(2 ** 40);`,
      /left files of more than 2147483648 bytes together$/,
    ],
    [
      "files",
      `for (let count = 0; count < 10_001; count++) Deno.writeTextFileSync("f" + count, String(count));`,
      /left more than 10000 files$/,
    ],
    [
      "names",
      `const folder = ("x".repeat(250) + "/").repeat(4);
       Deno.mkdirSync(folder, { recursive: true });
       for (let count = 0; count < 2500; count++) Deno.writeTextFileSync(folder + count, String(count));`,
      /left too many files with long names$/,
    ],
  ];
  for (const [id, code, message] of cases) {
    await t.step(id, async () => {
      const { log } = await bench.build(id, {
        files: { "main.ts": SERVES_DIST, "run.ts": code },
        buildCommand: "deno run -A run.ts",
        ask: [],
      });
      assert.match(log.at(-1)!.message, message);
    });
  }
});

confinedTest(
  "A build command that starts ever more processes is ended, and what it leaves running as well",
  async () => {
    await using bench = await BuildBench.open();
    const start = (code: string) =>
      `new Deno.Command(Deno.execPath(), { args: ["eval", ${
        JSON.stringify(code)
      }], stdout: "null" }).spawn();`;
    const endless = "setInterval(() => {}, 86_399)";
    const run = (id: string, code: string) =>
      bench.build(id, {
        files: { "main.ts": SERVES_DIST, "run.ts": code },
        buildCommand: "deno run -A run.ts",
        ask: [],
      });
    const { log } = await run("forking", `for (let count = 0; count < 100; count++) ${start(endless)}`);
    assert.equal(log.at(-1)!.message, "Cannot build: it took more than 64 processes");
    const left = await run("leaving", `${start(endless)} Deno.exit(0);`);
    assert.equal(left.status, "success");
    assert.deepEqual(commandLines().filter((line) => line.includes(endless)), []);
  },
);

confinedTest("A build command reaches nothing but its own files", async () => {
  await using bench = await BuildBench.open();
  await using service = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response("secret"),
  );
  const { status, log, image, answers } = await bench.build("probing", {
    files: { "main.ts": SERVES_DIST, "probe.ts": PROBE },
    buildCommand: `deno run -A probe.ts ${service.addr.port}`,
    ask: ["/probe.json"],
  });
  assert.equal(status, "success", log.map(({ message }) => message).join("\n"));
  const { cache, ...others } = JSON.parse(answers["/probe.json"]!);
  assert.deepEqual(others, {
    etc: "NotFound",
    loopback: "TypeError",
    namespaces: false,
    shell: "NotFound",
    uid: false,
  });
  assert.match(String(cache), /PermissionDenied|Error/);
  assert.deepEqual(Object.keys(image!.files).filter((path) => path.startsWith("dist/")), ["dist/probe.json"]);
  assert.ok(
    log.some(({ message }) => message === 'Ignoring "dist/leak": the link leads out of the deployment'),
  );
});

Deno.test("Without namespaces a build command is refused, and nothing of it is run", async () => {
  const command = { text: "deno task build", variables: {}, hashes: {} };
  const request = {
    dir: "/nonexistent",
    source: { entrypoint: "main.ts", importMap: null, lockFile: null, compilerOptions: null },
    configs: [],
    hasNodeModules: false,
    placeDir: "/nonexistent",
    cacheDir: "/nonexistent",
    operatorFiles: [],
    v8Flags: "",
    deniedNetworks: [],
  };
  const { signal } = new AbortController();
  await assert.rejects(
    runBuildCommand(request, command, { view: NO_VIEW, log() {}, signal }),
    {
      name: "BuildError",
      message: /^Cannot run "deno task build": this server has no namespaces to confine it/,
    },
  );
});
