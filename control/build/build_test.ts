import assert from "node:assert/strict";
import { join } from "node:path";
import { type AppSource, BuildBench } from "../../tests/built_app.ts";

const APPS: (AppSource & { name?: string; expect: Record<string, unknown> })[] = [
  { fixture: "hello", expect: { "/": "hello" } },
  {
    fixture: "hono_jsx",
    entrypoint: "src/main.tsx",
    expect: { "/": "<html><h1>Fish &amp; chips</h1><ul><li>one</li><li>two</li></ul></html>" },
  },
  { fixture: "import_map", entrypoint: "src/main.ts", expect: { "/": "hello mapped 1m" } },
  {
    fixture: "express_ejs",
    entrypoint: "server.js",
    expect: { "/": "<p>Hello &lt;visitor&gt;</p>\n", "/json?a=1": { query: { a: "1" } } },
  },
  {
    fixture: "meta_files",
    entrypoint: "src/main.ts",
    expect: {
      "/": {
        own: "own file",
        page: "page file false",
        main: true,
        filename: true,
        resolved: true,
        keys: ["url", "main", "resolve", "filename", "dirname"],
      },
    },
  },
  {
    fixture: "raw_imports",
    expect: {
      "/": {
        config: JSON.parse('{ "a": [1, 2], "__proto__": 3 }'),
        same: true,
        source: "export const value: number = 7;\n",
        value: 7,
        text: "grüße\r\n",
        bytes: [0, 255, 128, 65],
        kind: "Uint8Array",
      },
    },
  },
  { fixture: "wasm", expect: { "/": "42" } },
  { fixture: "cjs_package", expect: { "/": [true, 4, true, "undefined", "plain"] } },
  { fixture: "legacy_node", entrypoint: "server.js", expect: { "/": "60000 local.js a note" } },
  {
    fixture: "top_level_await",
    expect: { "/": { answer: 42, order: ["slow", "main", "lazy"], lazy: "lazy", class: "Thing" } },
  },
  { fixture: "linked", expect: { "/": "alias.ts linked note" } },
  {
    name: "a workspace",
    entrypoint: "app/main.ts",
    files: {
      "deno.json": `{ "workspace": ["./lib", "./app"], "imports": { "ms": "npm:ms@2.1.3" } }`,
      "lib/deno.json":
        `{ "name": "@x/lib", "version": "1.0.0", "exports": { ".": "./mod.ts", "./sub": "./sub.ts" } }`,
      "lib/mod.ts": `import ms from "ms";\nexport const minute = ms(60_000);`,
      "lib/sub.ts": `export const sub = "sub";`,
      "app/deno.json": `{ "name": "@x/app", "exports": "./main.ts" }`,
      "app/main.ts": `import { minute } from "@x/lib";
import { sub } from "@x/lib/sub";
export default { fetch: () => new Response(minute + sub) };`,
    },
    expect: { "/": "1msub" },
  },
  {
    name: "a pragma comment with the JSX runtime's package",
    entrypoint: "main.tsx",
    files: {
      "main.tsx": `/** @jsxImportSource npm:preact@10.27.2 */
import { render } from "npm:preact-render-to-string@6.6.1";
export default { fetch: () => new Response(render(<b>{import.meta.main}x</b>)) };`,
    },
    expect: { "/": "<b>x</b>" },
  },
  {
    name: "packages that were uploaded: a CommonJS default, a Worker beside the package's module",
    files: {
      "main.ts": `import babel, { named } from "babel-made";
import ask from "with-worker";
const answer = await ask();
export default { fetch: () => Response.json([babel.default, named, babel.__esModule, answer]) };`,
      "node_modules/babel-made/package.json": `{ "name": "babel-made", "version": "1.0.0" }`,
      "node_modules/babel-made/index.js": `Object.defineProperty(exports, "__esModule", { value: true });
exports.default = "default";
exports.named = "named";`,
      "node_modules/with-worker/package.json":
        `{ "name": "with-worker", "version": "1.0.0", "type": "module" }`,
      "node_modules/with-worker/index.js": `export default () => new Promise((resolve) => {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => (worker.terminate(), resolve(data));
});`,
      "node_modules/with-worker/worker.js": `postMessage("from the worker");`,
    },
    expect: { "/": ["default", "named", true, "from the worker"] },
  },
  {
    name: "names of files that URLs escape, a query, a cycle, a lazy import that fails",
    files: {
      "main.ts": `import { early } from "./early.ts";
import { own, place } from "./a%20b%23c.ts";
import { own as other } from "./a%20b%23c.ts?second";
export function where() { return import.meta.url.split("/").at(-1); }
const failed = await import("./none.ts").catch((error) => error.constructor.name);
export default { fetch: () => Response.json([early, place, own === other, failed]) };`,
      "early.ts": `import { where } from "./main.ts";\nexport const early = where();`,
      "a b#c.ts": `export const own = {};\nexport const place = import.meta.filename!.split("/").at(-1);`,
    },
    expect: { "/": ["main.ts", "a b#c.ts", false, "TypeError"] },
  },
  {
    name: "TypeScript that is more than types",
    files: {
      "main.ts": `enum Color { Red = 1 }
namespace N { export const two = 2; }
class Point { constructor(readonly x: number, public y = x + 1) {} }
class Base { set field(_: number) { throw new Error("set"); } }
class Derived extends Base { override field = 3; }
const mark = (_: unknown, { kind, name }: ClassMethodDecoratorContext) => { marked = kind + String(name); };
let marked = "", disposed = false;
class Decorated { @mark method() {} }
{ using _it = { [Symbol.dispose]: () => disposed = true }; }
const answer = [Color[1], N.two, new Point(1).y, new Derived().field, Decorated.name, marked, disposed];
export default { fetch: () => Response.json(answer) };`,
    },
    expect: { "/": ["Red", 2, 2, 3, "Decorated", "methodmethod", true] },
  },
];

/** A reason for which nothing is bundled. */
const AS_FILES = { compilerOptions: { emitDecoratorMetadata: true } };

Deno.test("An app answers alike as a bundle and as its files", async (t) => {
  await using bench = await BuildBench.open();
  for (const { name, expect, ...app } of APPS) {
    const ask = Object.keys(expect);
    for (const mode of ["bundle", "tree"] as const) {
      await t.step(`${name ?? app.fixture} as a ${mode}`, async () => {
        const options = mode === "tree" ? AS_FILES : {};
        const { status, image, log, answers } = await bench.build(`${mode}1`, {
          ask,
          ...app,
          ...options,
        });
        assert.equal(status, "success", JSON.stringify(log));
        assert.equal(image?.mode, mode);
        for (const [path, wanted] of Object.entries(expect)) {
          const answer = answers[path]!;
          assert.deepEqual(typeof wanted === "string" ? answer : JSON.parse(answer), wanted);
        }
      });
    }
  }
});

Deno.test("What a bundle would change runs from the files, and the log says where it is", async (t) => {
  await using bench = await BuildBench.open();
  const serve = "\nexport default { fetch: () => new Response(answer) };\n";
  const cases: Record<string, AppSource & { reason: string; expect: string }> = {
    "a computed import that shares modules with the program": {
      fixture: "computed_imports",
      ask: ["/"],
      reason: "main.ts:9 imports a module by a computed name",
      expect: "a1 2 1s",
    },
    "a computed name without a pattern": {
      files: {
        "main.ts": `const name = "./a.ts";\nconst { answer } = await import(name);${serve}`,
        "a.ts": "export const answer = 1;",
      },
      reason: "main.ts:2 imports a module by a computed name",
      expect: "1",
    },
    "a Worker": {
      files: {
        "main.ts": `import { word } from "./word.ts";
const worker = new Worker(new URL("./worker.ts", import.meta.url).href, { type: "module" });
const answer = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(word + data));
worker.terminate();${serve}`,
        "word.ts": `export const word = "hello";`,
        "worker.ts": `import { word } from "./word.ts";\npostMessage(" " + word);`,
      },
      reason: "main.ts:2 starts a Worker",
      expect: "hello hello",
    },
    "a require() of its own": {
      files: {
        "main.ts": `import { createRequire } from "node:module";
const answer = createRequire(import.meta.url)("./data.json").word;${serve}`,
        "data.json": `{ "word": "required" }`,
      },
      reason: "main.ts:2 makes a require() of its own",
      expect: "required",
    },
    "a mapped name resolved at run time": {
      files: {
        "deno.json": `{ "imports": { "mapped": "./src/word.ts" } }`,
        "main.ts": `const answer = import.meta.resolve("mapped").split("/").at(-1);${serve}`,
      },
      reason: "main.ts:1 resolves a module name with import.meta.resolve()",
      expect: "word.ts",
    },
  };
  for (const [name, { reason, expect, ...app }] of Object.entries(cases)) {
    await t.step(name, async () => {
      const { image, log, answers } = await bench.build("reasons", app);
      assert.equal(image?.reason, reason, JSON.stringify(log));
      assert.deepEqual(log[0], {
        level: "info",
        message: `Running the files as they are, not bundled: ${reason}`,
      });
      assert.equal(answers["/"], expect);
    });
  }
});

Deno.test("A build that fails says what is wrong in the app's own paths", async (t) => {
  await using bench = await BuildBench.open();
  const cases: Record<string, { files: Record<string, string>; says: string }> = {
    "a syntax error in a module": {
      files: { "main.ts": `import "./lib/a.ts";`, "lib/a.ts": "export const a = 1;\n\nconst b = {;\n" },
      says: "Cannot parse lib/a.ts:3:12: Unexpected token",
    },
    "a syntax error in JSON": {
      files: {
        "main.ts": `import a from "./a.json" with { type: "json" };\nconsole.log(a);`,
        "a.json": "{ nope",
      },
      says: "Cannot parse a.json:1:3: ",
    },
    "a file that is not there": {
      files: { "main.ts": `// First\n\nimport { a } from "./none.ts";\nconsole.log(a);` },
      says: `Cannot resolve "./none.ts" imported from main.ts:3:19: no such file`,
    },
    "a name that is not a dependency": {
      files: { "src/main.ts": "", "main.ts": `import "left-pad";` },
      says: `Cannot resolve "left-pad" imported from main.ts:1:8: not a dependency`,
    },
    "an export that is not there": {
      files: {
        "main.ts": `\nimport { b } from "./a.ts";\nconsole.log(b, import.meta.url);`,
        "a.ts": "export const a = 1;",
      },
      says: `Cannot link main.ts:2:10: No matching export in "a.ts" for import "b"`,
    },
    "a package that does not exist": {
      files: { "main.ts": `import "npm:@isola-nobody/no-such-package@1";` },
      says: `Cannot resolve "npm:@isola-nobody/no-such-package@1" imported from main.ts:1:8: npm package`,
    },
    "a version that does not exist": {
      files: { "main.ts": `import "npm:ms@99";` },
      says:
        `Cannot resolve "npm:ms@99" imported from main.ts:1:8: Could not find npm package 'ms' matching '99'`,
    },
    "a version in package.json that does not exist": {
      files: { "main.ts": "", "package.json": `{ "dependencies": { "ms": "99" } }` },
      says: "Could not find npm package 'ms' matching '99'",
    },
    "a package other than the lock file's": {
      files: {
        "main.ts": `import "npm:ms@2.1.2";`,
        "deno.lock": `{ "version": "5", "specifiers": { "npm:ms@2.1.2": "2.1.2" },
          "npm": { "ms@2.1.2": { "integrity": "sha512-AAAA" } } }`,
      },
      says: "Failed caching npm package 'ms@2.1.2'",
    },
    "a configuration that is not JSON": {
      files: { "main.ts": "", "deno.json": `{ "imports": ` },
      says: `Cannot read "deno.json": `,
    },
    "an entry point that is not there": {
      files: { "server.ts": "" },
      says: `Cannot load the entry point "main.ts": no such file`,
    },
    "a program that throws": {
      files: { "main.ts": `\nfunction start(): never {\n  throw new Error("at start");\n}\nstart();` },
      says: "main.ts:3:9",
    },
  };
  for (const [name, { files, says }] of Object.entries(cases)) {
    await t.step(name, async () => {
      const { status, log } = await bench.build("fails", { files });
      const { level, message } = log.at(-1)!;
      assert.equal(status, "failed");
      assert.equal(level, "error");
      assert.ok(message.includes(says), message);
      assert.ok(!message.includes(bench.dir), message);
    });
  }
});

Deno.test("A build reads nothing outside the deployment", async (t) => {
  await using bench = await BuildBench.open();
  const secret = join(bench.dir, "secret.json");
  await Deno.writeTextFile(secret, `"the secret"`);
  const cases: Record<string, Record<string, string>> = {
    "an absolute path": { "main.ts": `import a from "${secret}" with { type: "text" };` },
    "a URL that is imported lazily": {
      "main.ts": `await import("file://${secret}", { with: { type: "text" } });`,
    },
    "a path upwards": { "main.ts": `import a from "../../secret.json" with { type: "text" };` },
    "a file that is not a module": { "main.ts": `import "${secret}";` },
    "a mapped name": {
      "main.ts": `import "@/secret.json";`,
      "deno.json": `{ "imports": { "@/": "${bench.dir}/" } }`,
    },
    "a workspace": { "main.ts": "", "deno.json": `{ "workspace": ["../../"] }` },
    "an import map": { "main.ts": "", "deno.json": `{ "importMap": "../../map.json" }` },
    "a package that was uploaded": {
      "main.ts": `import "evil";`,
      "node_modules/evil/package.json": `{ "name": "evil", "version": "1.0.0" }`,
      "node_modules/evil/index.js": `console.log(require("${secret}"));`,
    },
  };
  for (const [name, files] of Object.entries(cases)) {
    await t.step(name, async () => {
      const { status, log } = await bench.build("escape", { files });
      assert.equal(status, "failed");
      const text = log.map(({ message }) => message).join("\n");
      assert.match(text, /outside the deployment/);
      assert.ok(!text.includes("the secret"));
    });
  }
});

Deno.test("The options of the create body decide over those of deno.json", async (t) => {
  await using bench = await BuildBench.open();
  const map = `{ "imports": { "word": "./other.ts" } }`;
  const files = {
    "deno.json":
      `{ "imports": { "word": "./own.ts" }, "compilerOptions": { "jsx": "react", "jsxFactory": "own" } }`,
    "own.ts": `export default "own";`,
    "maps/map.json": map.replace("./", "../"),
    "other.ts": `export default "other";`,
    "main.tsx": `import word from "word";
const own = (tag: string) => tag + " by own", asked = (tag: string) => tag + " by asked";
export default { fetch: () => new Response(word + " " + <a />) };`,
  };
  const answer = async (options: Partial<AppSource>) => {
    const { log, answers } = await bench.build("options", { files, entrypoint: "main.tsx", ...options });
    return answers["/"] ?? log.at(-1)!.message;
  };
  await t.step("none", async () => assert.equal(await answer({}), "own a by own"));
  await t.step("compilerOptions", async () => {
    assert.equal(await answer({ compilerOptions: { jsxFactory: "asked" } }), "own a by asked");
  });
  await t.step("importMap", async () => {
    assert.equal(await answer({ importMap: "maps/map.json" }), "other a by own");
    assert.match(await answer({ importMap: "" }), /^Cannot resolve "word" imported from main\.tsx:1:18/);
  });
  await t.step("lockFile", async () => {
    const pinned = {
      "main.tsx": `import ms from "npm:ms@2/package.json" with { type: "json" };
export default { fetch: () => new Response(ms.version) };`,
      "locks/a.lock":
        `{ "version": "5", "specifiers": { "npm:ms@2": "2.0.0" }, "npm": { "ms@2.0.0": { "integrity":
        "sha512-Tpp60P6IUJDTuOq/5Z8cdskzJujfwqfOTkrwIwj7IRISpnkJnT6SyJ4PCPnGMoFjC9ddhal5KVIYtAt97ix05A==" } } }`,
    };
    assert.equal(await answer({ files: pinned, lockFile: "locks/a.lock" }), "2.0.0");
    assert.notEqual(await answer({ files: pinned }), "2.0.0");
  });
});

Deno.test("Packages that only development needs are left out of the files", async () => {
  await using bench = await BuildBench.open();
  const { image } = await bench.build("packages", { fixture: "express_ejs", entrypoint: "server.js" });
  const paths = Object.keys(image!.files);
  assert.ok(paths.some((path) => path.endsWith("/node_modules/ejs/package.json")));
  assert.ok(!paths.some((path) => path.includes("is-odd")));
  assert.ok(!paths.some((path) => path.endsWith(".d.ts")));
});
