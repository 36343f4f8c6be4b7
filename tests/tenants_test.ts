import assert from "node:assert/strict";
import { serverForTests, type TestFiles } from "./server.ts";

const suite = serverForTests();
const SECRET = "do-not-leak-7f3a";

/** A file of this machine that no deployment may learn. */
let secretFile = "";

Deno.test.beforeAll(async () => {
  secretFile = await Deno.makeTempFile({ prefix: "isola-secret-", suffix: ".json" });
  await Deno.writeTextFile(
    secretFile,
    JSON.stringify({ secret: SECRET, imports: { secret: `data:,${SECRET}` } }),
  );
});
Deno.test.afterAll(() => Deno.remove(secretFile));

/** Each handler says what it got, or how it was refused. */
function attempts(code: Record<string, string>): string {
  const entries = Object.entries(code).map(([name, body]) =>
    `${JSON.stringify(name)}: async () => { ${body} },`
  );
  return `const attempts = { ${entries.join("\n")} };
    Deno.serve(async () => {
      const results = {};
      for (const [name, attempt] of Object.entries(attempts)) {
        results[name] = await attempt().then((got) => "got " + got, (error) => "refused: " + error);
      }
      return Response.json(results);
    });`;
}

Deno.test("a deployment reaches neither the server's doors nor another tenant's", async () => {
  const { server } = suite;
  const { id } = await server.deploy("victim", `Deno.serve(() => new Response("${SECRET}"));`);
  assert.equal(await server.text("victim"), SECRET);
  const { pid } = (await server.isolate(id))!;
  const [run] = [...Deno.readDirSync(`${server.dataDir}/run`)].map(({ name }) => name);
  const sockets = Deno.readTextFileSync(`${server.dataDir}/run/${run}/.sockets`);
  const [victim] = [...Deno.readDirSync(`${server.dataDir}/run/${run}`)].filter(({ isDirectory }) =>
    isDirectory
  )
    .map(({ name }) => name);
  const controlPort = new URL(server.controlUrl).port;
  await server.deploy(
    "attacker",
    attempts({
      "control API": `return (await fetch("http://127.0.0.1:${controlPort}/v1/organizations")).status`,
      "control API by name": `return (await fetch("http://localhost:${controlPort}/healthz")).status`,
      "control API by TCP":
        `return (await Deno.connect({ hostname: "127.0.0.1", port: ${controlPort} })).rid`,
      "data plane": `return await (await fetch("http://127.0.0.1:${server.httpPort}/")).text()`,
      "data plane by IPv6":
        `return await (await fetch("http://[::ffff:127.0.0.1]:${server.httpPort}/")).text()`,
      "data directory": `return Deno.readDirSync("${server.dataDir}").toArray()`,
      "its run directory": `return [...Deno.readDirSync("${server.dataDir}/run/${run}")].length`,
      "another program": `return Deno.readTextFileSync("${server.dataDir}/run/${run}/${victim}/app/main.ts")`,
      "sockets": `return [...Deno.readDirSync("${sockets}")].length`,
      "another socket":
        `return (await Deno.connect({ transport: "unix", path: "${sockets}/${victim}/http.sock" })).rid`,
      "another environment": `return Deno.readTextFileSync("/proc/${pid}/environ")`,
      "the server's environment": `return Deno.readTextFileSync("/proc/${server.pid}/environ")`,
      "another process": `return Deno.kill(${pid}, "SIGKILL")`,
      "the server": `return Deno.kill(${server.pid}, "SIGTERM")`,
      "a file": `return Deno.readTextFileSync("${secretFile}")`,
      "a file by import":
        `return (await import(["file://", "${secretFile}"].join(""), { with: { type: "json" } })).default.secret`,
      "a file by require":
        `return (await import("node:module")).createRequire("file:///")("${secretFile}").secret`,
      "a link": `return Deno.symlinkSync("${secretFile}", "link")`,
      "a listener": `return Deno.listen({ port: 0 }).rid`,
    }),
  );
  const results: Record<string, string> = JSON.parse(await server.text("attacker"));
  for (const [name, result] of Object.entries(results)) {
    assert.match(result, /^refused: .*([Rr]equires|PermissionDenied|fetch failed)/, name);
  }
  assert.equal(await server.text("victim"), SECRET);
  assert.equal((await server.isolate(id))?.pid, pid);
});

/** Programs that ask the build for a file of the machine. */
const THIEVES: Record<string, () => { files: TestFiles; options?: Record<string, unknown> }> = {
  "a text import": () => ({
    files: {
      "main.ts":
        `import text from "${secretFile}" with { type: "text" };\nDeno.serve(() => new Response(text));`,
    },
  }),
  "a bytes import by URL": () => ({
    files: {
      "main.ts":
        `import bytes from "file://${secretFile}" with { type: "bytes" };\nDeno.serve(() => new Response(bytes));`,
    },
  }),
  "a JSON import from above": () => ({
    files: {
      "main.ts": `import data from "${"../".repeat(20)}${secretFile.slice(1)}" with { type: "json" };
        Deno.serve(() => Response.json(data));`,
    },
  }),
  "an import map": () => ({
    files: {
      "deno.json": JSON.stringify({ imports: { "secret": `file://${secretFile}` } }),
      "main.ts": `import data from "secret" with { type: "json" };\nDeno.serve(() => Response.json(data));`,
    },
  }),
  "an import map of the machine": () => ({
    files: {
      "deno.json": JSON.stringify({ importMap: secretFile }),
      "main.ts": `import data from "secret";\nDeno.serve(() => new Response(data));`,
    },
  }),
  "a package of the machine": () => ({
    files: {
      "package.json": JSON.stringify({
        dependencies: { secret: `file:${secretFile.slice(0, secretFile.lastIndexOf("/"))}` },
      }),
      "main.ts": `import data from "secret/${secretFile.split("/").at(-1)}" with { type: "json" };
        Deno.serve(() => Response.json(data));`,
    },
  }),
  "a source map": () => ({
    files: {
      "main.ts":
        `import "./lib.js";\nDeno.serve(async () => new Response(await Deno.readTextFile(".isola/main.js.map").catch(String)));`,
      "lib.js": `export const a = 1;\n//# sourceMappingURL=file://${secretFile}\n`,
    },
  }),
};

for (const [name, thief] of Object.entries(THIEVES)) {
  Deno.test(`a build does not read the machine's files for ${name}`, async () => {
    const { server } = suite;
    const { files, options } = thief();
    const deployment = await server.build("thief", files, options);
    const log = JSON.stringify(await server.buildLog(deployment.id));
    assert(!log.includes(SECRET), log);
    if (deployment.status === "failed") return;
    const said = await server.text(`thief-${deployment.id}`);
    assert(!said.includes(SECRET), said);
  });
}

Deno.test("links out of a deployment are refused when it is created", async () => {
  const { server } = suite;
  const project = await server.project("linker");
  for (const target of [secretFile, "../../secret", "/etc/passwd", `sub/../../${secretFile}`]) {
    const response = await server.call("POST", `/v1/projects/${project}/deployments`, {
      entryPointUrl: "main.ts",
      assets: {
        "main.ts": { kind: "file", content: "Deno.serve(() => new Response());", encoding: "utf-8" },
        "link": { kind: "symlink", target },
      },
      envVars: {},
    });
    assert.equal(response.status, 400, target);
    await response.body?.cancel();
  }
});
