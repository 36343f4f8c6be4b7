import assert from "node:assert/strict";
import { providedProgram } from "../testing/provided_program.ts";
import { Trial } from "../testing/trial.ts";

/** (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)) */
const WASM = Uint8Array.fromHex(
  "0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b",
);

const MAIN = `
  import process from "node:process";
  import { basename } from "path";
  import { url, deeper } from "./lib/b.ts";
  import moved from "https://deno.land/x/old.js";
  import mapped from "library";
  import data from "./data.json" with { type: "json" };
  import text from "./note.txt" with { type: "text" };
  import bytes from "./note.txt" with { type: "bytes" };
  import { add } from "./add.wasm";

  const attempt = async (work) => {
    try { return await work(); } catch (error) { return error.message.split("\\n")[0]; }
  };
  const results = {
    meta: [import.meta.url, import.meta.filename, import.meta.dirname, import.meta.resolve("./q.js")],
    static: [url, deeper, moved, mapped],
    attributes: [data, text, bytes.length, add(1, 2)],
    builtin: [typeof process.pid, basename("/a/b")],
    dynamic: await attempt(async () => (await import("./lib/" + "late.js")).default),
    self: await attempt(async () => (await import("data:text/javascript,export default 1")).default),
    stack: await attempt(() => { try { null.x } catch (error) { return error.stack.split("\\n")[1].trim(); } }),
  };
  for (const name of ["./gone.js", "npm:lodash", "jsr:@std/path", "https://example.com/x.js", "bare", "node:no",
    "file:///app/modules/index.json", "./ring.js", "isola:node:fs"]) {
    results[name] = await attempt(() => import(name));
  }
  export default { fetch: () => Response.json(results) };
`;

const MODULES = {
  "file:///src/main.js": MAIN,
  "file:///src/lib/b.ts":
    `export const url = import.meta.url; export { default as deeper } from "../deeper.js";`,
  "file:///src/deeper.js": `export default import.meta.url;`,
  "file:///src/lib/late.js": `export default import.meta.url;`,
  "file:///src/data.json": `{"a":1}`,
  "file:///src/note.txt": "note",
  "file:///src/add.wasm": WASM,
  "file:///src/ring.js": { redirect: "file:///src/ring.js" },
  "https://deno.land/x/old.js": { redirect: "https://deno.land/x/new.js" },
  "https://deno.land/x/new.js": `export default import.meta.url;`,
  "https://esm.sh/library": `export default import.meta.url;`,
};

const refusal = (name: string) =>
  `Cannot import "${name}" from "file:///src/main.js": it is not among the deployment's modules, and nothing is fetched`;

const EXPECTED = {
  meta: ["file:///src/main.js", "/src/main.js", "/src", "file:///src/q.js"],
  static: [
    "file:///src/lib/b.ts",
    "file:///src/deeper.js",
    "https://deno.land/x/new.js",
    "https://esm.sh/library",
  ],
  attributes: [{ a: 1 }, "note", 4, 3],
  builtin: ["number", "b"],
  dynamic: "file:///src/lib/late.js",
  self: 1,
};

Deno.test("modules of an index are imported by their names, and nothing else is", async () => {
  const importMap = { url: "file:///src/deno.json", imports: { library: "https://esm.sh/library" } };
  await using trial = await Trial.serve("", { program: providedProgram({ modules: MODULES, importMap }) });
  const { stack, ...results } = await trial.json() as Record<string, unknown>;
  const { meta, static: fixed, attributes, builtin, dynamic, self, ...refused } = results;
  assert.deepEqual({ meta, static: fixed, attributes, builtin, dynamic, self }, EXPECTED);
  assert.match(String(stack), /file:\/\/\/src\/main\.js:\d+/);
  assert.equal(Object.keys(refused).length, 9);
  for (const [name, message] of Object.entries(refused)) assert.equal(message, refusal(name));
});

Deno.test("a program with an index has its own variables, and serves, as any other", async () => {
  const modules = {
    "file:///src/main.js": `Deno.serve((request) => Response.json([
      new URL(request.url).pathname, request.headers.get("x-test"), Deno.env.toObject(), import.meta.url]));`,
  };
  await using trial = await Trial.serve("", { env: { A: "1" }, program: providedProgram({ modules }) });
  const response = await trial.fetch("/path", { headers: { "x-test": "sent" } });
  assert.deepEqual(await response.json(), ["/path", "sent", { A: "1" }, "file:///src/main.js"]);
});

Deno.test("a module that fails is called by its name", async () => {
  const failures: [modules: Record<string, string>, message: RegExp][] = [
    [{ "file:///src/main.js": `const = 1;` }, /file:\/\/\/src\/main\.js:1:7/],
    [
      { "file:///src/main.js": `throw new Error("thrown");` },
      /^Error: thrown\n {4}at file:\/\/\/src\/main\.js:1:7$/,
    ],
    [
      { "file:///src/main.js": `import "npm:lodash";` },
      /Cannot import "npm:lodash" from "file:\/\/\/src\/main\.js": it is not/,
    ],
    [{ "file:///src/other.js": `` }, /Cannot import "file:\/\/\/src\/main\.js": it is not among/],
  ];
  for (const [modules, message] of failures) {
    const program = providedProgram({ modules });
    await using trial = await Trial.start({ program });
    await assert.rejects(trial.assign("", { program }), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(!/boot|\/app|modules\/0/.test(error.message), error.message);
      return true;
    });
  }
});

Deno.test("a program's own module hooks come before its modules are found", async () => {
  const modules = {
    "file:///src/main.js": `
      import { registerHooks } from "node:module";
      registerHooks({
        resolve: (specifier, context, next) => next(specifier === "virtual" ? "./b.js" : specifier, context),
        load: (url, context, next) =>
          url.endsWith("#made") ? { format: "module", source: "export default 'made'", shortCircuit: true } : next(url, context),
      });
      const results = [];
      for (const name of ["virtual", "./b.js", "./c.js", "./b.js#made"]) {
        results.push(await import(name).then((module) => module.default, (error) => error.name));
      }
      export default { fetch: () => Response.json(results) };
    `,
    "file:///src/b.js": `export default import.meta.url;`,
    "file:///src/b.js#made": ``,
  };
  await using trial = await Trial.serve("", { program: providedProgram({ modules }) });
  assert.deepEqual(await trial.json(), ["file:///src/b.js", "file:///src/b.js", "TypeError", "made"]);
});
