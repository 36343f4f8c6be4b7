import assert from "node:assert/strict";
import { join } from "node:path";
import { type AppSource, BuildBench, type Outcome } from "../../tests/built_app.ts";
import { startBuilder } from "./builder_process.ts";
import { OperatorHome } from "./testing/operator_home.ts";
import { PackageRegistry } from "./testing/package_registry.ts";

const SERVE = "\nexport default { fetch: () => new Response(String(answer)) };\n";
const SECRET = "the operator's secret";

function textOf({ log, answers }: Outcome): string {
  return log.map(({ message }) => message).join("\n") + JSON.stringify(answers);
}

/** A service of the operator's on this machine, which a build must not ask for anything. */
class PrivateService implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly #server = Deno.serve({ port: 0, hostname: "::", onListen() {} }, (request) => {
    this.requests.push(request.url);
    return new Response(`export const answer = ${JSON.stringify(SECRET)};`, {
      headers: { "content-type": "application/typescript" },
    });
  });

  get port(): number {
    return this.#server.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

Deno.test("A build asks nothing of private addresses, however a program names them", async (t) => {
  await using bench = await BuildBench.open();
  await using service = new PrivateService();
  const at = (host: string) => `http://${host}:${service.port}/a.ts`;
  const importing = (url: string) => ({ "main.ts": `import { answer } from "${url}";${SERVE}` });
  const loopback = at("127.0.0.1");
  const cases: Record<string, Record<string, string>> = {
    "an address": importing(loopback),
    "a name": importing(at("localhost")),
    "one number": importing(at("2130706433")),
    "hexadecimal": importing(at("0x7f.1")),
    "all addresses": importing(at("0.0.0.0")),
    "IPv6": importing(at("[::1]")),
    "IPv4 in IPv6": importing(at("[::ffff:127.0.0.1]")),
    "unique local IPv6": importing(at("[fd00::1]")),
    "metadata": importing("http://169.254.169.254/latest/meta-data/"),
    "https": importing(`https://127.0.0.1:${service.port}/a.ts`),
    "as text": { "main.ts": `import answer from "${loopback}" with { type: "text" };${SERVE}` },
    "a mapped name": {
      ...importing("mapped"),
      "deno.json": JSON.stringify({ imports: { mapped: loopback } }),
    },
    "a scope": {
      ...importing("mapped"),
      "deno.json": JSON.stringify({ scopes: { "./": { mapped: loopback } } }),
    },
    "the JSX runtime": {
      "main.ts": `import { answer } from "./a.tsx";${SERVE}`,
      "a.tsx": `/** @jsxImportSource ${at("127.0.0.1")} */\nexport const answer = <a />;`,
    },
    "a redirect that a lock file remembers": {
      ...importing("https://esm.sh/x"),
      "deno.lock": JSON.stringify({ version: "5", redirects: { "https://esm.sh/x": loopback } }),
    },
    "a dependency": {
      ...importing("x"),
      "package.json": JSON.stringify({ dependencies: { x: loopback } }),
    },
    "an import map": { ...importing("x"), "deno.json": JSON.stringify({ importMap: loopback }) },
  };
  for (const [name, files] of Object.entries(cases)) {
    await t.step(name, async () => {
      const outcome = await bench.build("private", { files });
      assert.equal(outcome.status, "failed");
      assert.ok(!textOf(outcome).includes(SECRET));
      assert.deepEqual(service.requests, []);
    });
  }
  await t.step("lazily", async () => {
    const files = {
      "main.ts": `const answer = await import("${loopback}").then(() => "loaded", () => "refused");${SERVE}`,
    };
    assert.equal((await bench.build("private", { files })).answers["/"], "refused");
    assert.deepEqual(service.requests, []);
  });
  await t.step("where a lock file says that a package is", async () => {
    const { log } = await bench.build("private", {
      files: {
        "main.ts": `import answer from "npm:ms@2.1.1";${SERVE}`,
        "deno.lock": JSON.stringify({
          version: "5",
          specifiers: { "npm:ms@2.1.1": "2.1.1" },
          npm: { "ms@2.1.1": { integrity: "sha512-AAAA", tarball: loopback } },
        }),
      },
    });
    assert.match(log.at(-1)!.message, /ms@2\.1\.1/); // Of the registry, which it does not match.
    assert.deepEqual(service.requests, []);
  });
  await t.step("an .npmrc of the deployment", async () => {
    const { status, log } = await bench.build("private", {
      files: {
        "main.ts": `import ms from "npm:ms@2.1.3";\nconst answer = ms(1000);${SERVE}`,
        ".npmrc": `registry=http://127.0.0.1:${service.port}/\n//registry.npmjs.org/:_authToken=\${HOME}`,
      },
    });
    assert.equal(status, "success");
    assert.deepEqual(log[0], {
      level: "warning",
      message: `Ignoring ".npmrc": packages come from the server's own registry`,
    });
    assert.deepEqual(service.requests, []);
  });
});

Deno.test("The operator's own registry is asked with his token, and no install script runs", async () => {
  const token = "operators-token";
  const mark = join(await Deno.makeTempDir({ prefix: "isola-mark-" }), "mark");
  await using registry = new PackageRegistry(mark);
  using home = new OperatorHome(
    `@isola-nobody:registry=http://${registry.host}/\n//${registry.host}/:_authToken=${token}\n`,
  );
  await using bench = await BuildBench.open({ env: home.env });
  const script = `touch ${mark}`;
  const app = {
    "main.ts": `import answer from "@isola-nobody/scripted";${SERVE}`,
    "package.json": JSON.stringify({
      dependencies: { "@isola-nobody/scripted": "1" },
      scripts: { preinstall: script, postinstall: script, prepare: script },
    }),
    "deno.json": JSON.stringify({ allowScripts: true, tasks: { install: script } }),
  };
  for (const compilerOptions of [null, { emitDecoratorMetadata: true }]) {
    const outcome = await bench.build("scripted", { files: app, compilerOptions });
    assert.equal(outcome.answers["/"], "installed", textOf(outcome));
    assert.ok(!textOf(outcome).includes(token));
  }
  assert.ok(registry.requests.length > 0);
  assert.ok(registry.requests.every(({ authorization }) => authorization === `Bearer ${token}`));
  assert.deepEqual([...Deno.readDirSync(join(mark, ".."))], []);
  await Deno.remove(join(mark, ".."), { recursive: true });
});

Deno.test("A password in the registry's address is not in the build log", async () => {
  using home = new OperatorHome("@isola-nobody:registry=http://someone:hunter2@127.0.0.1:9/\n");
  await using bench = await BuildBench.open({ env: home.env });
  const outcome = await bench.build("password", { files: { "main.ts": `import "npm:@isola-nobody/x";` } });
  assert.equal(outcome.status, "failed");
  assert.ok(!textOf(outcome).includes("hunter2"), textOf(outcome));
});

/** Nothing of a process that has ended meanwhile. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

Deno.test("Of the server's environment a builder gets the documented names", async () => {
  const env = {
    HOME: "/home/operator",
    ISOLA_ADMIN_TOKEN: "secret",
    AWS_SECRET_ACCESS_KEY: "secret",
    no_proxy: "*",
  };
  await using _builder = startBuilder({ env: { ...env, PATH: "/bin", LD_PRELOAD: "" }, maxHeapMb: 256 });
  const children = [...Deno.readDirSync("/proc/self/task")].flatMap(({ name }) =>
    read(`/proc/self/task/${name}/children`).split(" ").filter(Boolean)
  );
  // Other tests of this process have builders, too.
  const environments = children.filter((pid) => read(`/proc/${pid}/cmdline`).includes("builder_main.ts"))
    .map((pid) => read(`/proc/${pid}/environ`).split("\0").filter(Boolean));
  const own = environments.find((variables) => variables.includes(`HOME=${env.HOME}`));
  const names = own?.map((variable) => variable.split("=", 1)[0]) ?? [];
  assert.deepEqual(names.sort(), ["HOME", "no_proxy"]);
});

Deno.test("Nothing outside the deployment reaches the program or its log", async (t) => {
  await using bench = await BuildBench.open();
  const outside = join(bench.dir, "outside");
  await Deno.mkdir(join(outside, "jsx-runtime"), { recursive: true });
  const secrets: Record<string, string> = {
    "secret.json": JSON.stringify(SECRET),
    "secret.ts": `export const answer = "${SECRET}";`,
    "secret.txt": SECRET,
    "broken.ts": `const a = ${SECRET};`,
    "jsx-runtime/index.ts": `export const jsx = () => "${SECRET}";`,
    "package.json": JSON.stringify({ name: "outside", main: "secret.ts", description: SECRET }),
    "tsconfig.json": `{ "compilerOptions": { "jsx": "${SECRET}" } }`,
    "map.json": JSON.stringify({ imports: { mapped: "./secret.ts" } }),
    "secret.js.map": JSON.stringify({ version: 3, sources: [SECRET], names: [SECRET], mappings: "AAAAA" }),
  };
  for (const [path, text] of Object.entries(secrets)) await Deno.writeTextFile(join(outside, path), text);
  const up = "../../outside";
  const importing = (specifier: string, config?: unknown) => ({
    "main.ts": `import { answer } from "${specifier}";${SERVE}`,
    ...(config === undefined ? {} : { "deno.json": JSON.stringify(config) }),
  });
  const reading = (specifier: string, type: string) => ({
    "main.ts": `import answer from "${specifier}" with { type: "${type}" };${SERVE}`,
  });
  const packaged = (index: string, extra: Record<string, string> = {}) => ({
    "main.ts": `import answer from "evil";${SERVE}`,
    "node_modules/evil/package.json": `{ "name": "evil", "version": "1.0.0", "main": "index.js" }`,
    "node_modules/evil/index.js": index,
    ...extra,
  });
  const cases: Record<string, AppSource["files"]> = {
    "a path": importing(`${outside}/secret.ts`),
    "a path upwards": importing(`${up}/secret.ts`),
    "an encoded path upwards": importing("./%2e%2e/%2E%2E/outside/secret.ts"),
    "a URL": importing(`file://${outside}/secret.ts`),
    "a URL of a host": importing(`file://localhost${outside}/secret.ts`),
    "a syntax error": importing(`${up}/broken.ts`),
    "text": reading(`${up}/secret.txt`, "text"),
    "text of the system": reading("file:///etc/passwd", "text"),
    "bytes": reading(`${up}/secret.txt`, "bytes"),
    "JSON": reading(`${up}/secret.json`, "json"),
    "an environment": reading("/proc/self/environ", "text"),
    "an import": importing("mapped", { imports: { mapped: `${up}/secret.ts` } }),
    "an import by URL": importing("mapped", { imports: { mapped: `file://${outside}/secret.ts` } }),
    "a folder of imports": importing("@/secret.ts", { imports: { "@/": `${outside}/` } }),
    "a scope": importing("mapped", { scopes: { "./": { mapped: `${up}/secret.ts` } } }),
    "an import map": importing("mapped", { importMap: `${up}/map.json` }),
    "a workspace": importing("outside", { workspace: [up] }),
    "links": importing("outside", { links: [up] }),
    "vendored": importing("https://esm.sh/secret.ts", {
      vendor: true,
      imports: { "https://esm.sh/": `${up}/` },
    }),
    "the JSX runtime of the configuration": {
      "main.ts": `import { answer } from "./a.tsx";${SERVE}`,
      "a.tsx": "export const answer = <a />;",
      "deno.json": JSON.stringify({ compilerOptions: { jsx: "react-jsx", jsxImportSource: outside } }),
    },
    "the JSX runtime of a comment": {
      "main.ts": `import { answer } from "./a.tsx";${SERVE}`,
      "a.tsx": `/** @jsxImportSource file://${outside} */\nexport const answer = <a />;`,
    },
    "a redirect that a lock file remembers": {
      ...importing("https://esm.sh/x"),
      "deno.lock": JSON.stringify({
        version: "5",
        redirects: { "https://esm.sh/x": `file://${outside}/secret.ts` },
      }),
    },
    "a dependency": {
      ...importing("x"),
      "package.json": JSON.stringify({ dependencies: { x: `file:${up}` } }),
    },
    "a dependency among uploaded packages": {
      ...importing("x"),
      "package.json": JSON.stringify({ dependencies: { x: `file:${up}` } }),
      "node_modules/other/package.json": `{ "name": "other", "version": "1.0.0" }`,
    },
    "imports of package.json": {
      ...importing("#x"),
      "package.json": JSON.stringify({ name: "x", imports: { "#x": `${up}/secret.ts` } }),
    },
    "npm workspaces": {
      ...importing("outside"),
      "package.json": JSON.stringify({ workspaces: [up] }),
    },
    "an import of a package": packaged(`export { answer as default } from "${outside}/secret.ts";`),
    "a require() of a package": packaged(`module.exports = require("../../../../outside/secret.json");`),
    "the main module of a package": {
      ...packaged(""),
      "node_modules/evil/package.json": `{ "name": "evil", "main": "../../../../outside/secret.json" }`,
    },
    "exports of a package": {
      ...packaged(""),
      "node_modules/evil/package.json": `{ "name": "evil", "exports": "./../../../../outside/secret.json" }`,
    },
    "text in a package": packaged(
      `export { default } from "../../../../outside/secret.txt" with { type: "text" };`,
    ),
  };
  for (const [name, files] of Object.entries(cases)) {
    await t.step(name, async () => {
      const outcome = await bench.build("escape", { files });
      const text = textOf(outcome) + JSON.stringify(await imageTexts(bench, outcome));
      assert.ok(!text.includes(SECRET), text);
      assert.ok(!text.includes("root:"), text);
      assert.equal(outcome.status, "failed", text);
    });
  }
  const harmless: Record<string, AppSource["files"]> = {
    "types": {
      "main.ts": `/// <reference types="${outside}/broken.ts" />
// @deno-types="${outside}/secret.ts"
import { answer } from "./a.js";
import type { Secret } from "${up}/secret.ts";${SERVE}`,
      "a.js": "export const answer = 1;",
    },
    "tsconfig.json": {
      "main.ts": `const answer = 1;${SERVE}`,
      "tsconfig.json": JSON.stringify({
        extends: `${outside}/tsconfig.json`,
        references: [{ path: outside }],
        files: [`${outside}/broken.ts`],
        compilerOptions: { types: [`${outside}/broken.ts`] },
      }),
    },
    "a source map of a package": packaged(
      `export default 1;\n//# sourceMappingURL=../../../../outside/secret.js.map`,
    ),
    "a source map of a package's style": packaged(`import "./a.ts";\nexport default 1;`, {
      "node_modules/evil/a.ts": `console.log(1);\n//# sourceMappingURL=../../../../outside/secret.js.map`,
    }),
    "a lazy import": {
      "main.ts": `const answer = await import("${"./x".replace("x", "none.ts")}").catch(() => 1);${SERVE}`,
    },
  };
  for (const [name, files] of Object.entries(harmless)) {
    await t.step(`${name}, which is not part of the program`, async () => {
      const outcome = await bench.build("harmless", { files });
      const text = textOf(outcome) + JSON.stringify(await imageTexts(bench, outcome));
      assert.ok(!text.includes(SECRET), text);
      assert.equal(outcome.answers["/"], "1", text);
    });
  }
});

/** All that the build added. */
async function imageTexts({ dir }: BuildBench, { image }: Outcome): Promise<string[]> {
  const files = Object.values(image?.files ?? {}).filter((file) => file.kind === "file");
  return await Promise.all(files.map(({ sha256 }) => Deno.readTextFile(join(dir, "blobs", sha256))));
}

Deno.test("A program that explodes while it is built fails alone, and says why", async (t) => {
  await using bench = await BuildBench.open();
  const nested = (open: string, inner: string, close: string, depth: number) =>
    open.repeat(depth) + inner + close.repeat(depth);
  const cases: Record<string, { files: Record<string, string>; says: RegExp }> = {
    "an endless file": {
      files: { "main.ts": `import "/dev/zero";` },
      says: /^Cannot build: it took more than \d+ MiB of memory$/,
    },
    "one file as many modules": {
      files: {
        "main.ts": Array.from({ length: 100_000 }, (_, n) => `import "./a.ts?${n}";`).join("\n"),
        "a.ts": `export const a = "${"a".repeat(100_000)}";`,
      },
      says: /^Cannot build: it took more than \d+ MiB of memory$/,
    },
    "nested code": {
      files: { "main.ts": `const answer = ${nested("(", "1", ")", 200_000)};${SERVE}` },
      says: /nested too deeply$/,
    },
    "nested JSON": {
      files: {
        "main.ts": `import answer from "./a.json" with { type: "json" };${SERVE}`,
        "a.json": nested("[", "1", "]", 1_000_000),
      },
      says: /nested too deeply$/,
    },
    "a nested configuration": {
      files: { "main.ts": "", "deno.json": nested(`{"imports":`, "1", "}", 500_000) },
      says: /nested too deeply$/,
    },
    "a nested lock file": {
      files: { "main.ts": "", "deno.lock": nested(`{"npm":`, "1", "}", 500_000) },
      says: /nested too deeply$/,
    },
  };
  for (const [name, { files, says }] of Object.entries(cases)) {
    await t.step(name, async () => {
      const good = { files: { "main.ts": `const answer = "good";${SERVE}` } };
      const [bad, neighbour] = await Promise.all([
        bench.build("explodes", { files }),
        bench.build("neighbour", good),
      ]);
      assert.equal(bad.status, "failed");
      assert.match(bad.log.at(-1)!.message, says);
      assert.equal(neighbour.answers["/"], "good", textOf(neighbour));
    });
  }
});

Deno.test("Modules may import each other as deep as they like", async () => {
  await using bench = await BuildBench.open();
  const depth = 6000;
  const files: Record<string, string> = { "main.ts": `import "./m0.ts";\nconst answer = 1;${SERVE}` };
  for (let n = 0; n < depth; n++) files[`m${n}.ts`] = `import "./m${n + 1}.ts";`;
  files[`m${depth}.ts`] = "";
  const outcome = await bench.build("deep", { files });
  assert.equal(outcome.answers["/"], "1", textOf(outcome));
});

Deno.test("A deployment that is where the builder writes is not built: the name could be a link into a package", async () => {
  await using bench = await BuildBench.open();
  const { status, log } = await bench.build("reserved", {
    files: { "main.ts": `const answer = 1;${SERVE}`, ".isola/main.mjs": "" },
  });
  assert.equal(status, "failed");
  assert.match(log.at(-1)!.message, /AlreadyExists/);
});
