import assert from "node:assert/strict";
import { Trial } from "../testing/trial.ts";

Deno.test("the environment is the program's own, exactly as given", async () => {
  const env = {
    PLAIN: "value",
    EMPTY: "",
    LINES: "first\nsecond\r\n\tthird",
    QUOTES: `"double" 'single' \`back\` \\n`,
    TEMPLATE: "${PLAIN} $(id) %PATH%",
    UNICODE: "grüße 🦕 \u0301",
    LONG: "x".repeat(16 * 1024),
    lower_case: " spaces ",
  };
  await using trial = await Trial.serve(
    `
    import process from "node:process";
    const atImport = Deno.env.toObject();
    Deno.serve(() => Response.json({ atImport, deno: Deno.env.toObject(), node: { ...process.env }, has: Deno.env.has("HOME") }));
    `,
    { env },
  );
  assert.deepEqual(await trial.json(), { atImport: env, deno: env, node: env, has: false });
});

Deno.test("nothing of the server's environment or arguments reaches a program", async () => {
  Deno.env.set("ISOLA_TEST_SECRET", "secret");
  try {
    await using trial = await Trial.serve(`
      import process from "node:process";
      Deno.serve(() => Response.json([Deno.env.toObject(), process.env, Deno.args, process.argv.slice(2)]));
    `);
    const [deno, node, args, argv] = await trial.json() as unknown[];
    assert.deepEqual([deno, node, args, argv], [{}, {}, [], []]);
  } finally {
    Deno.env.delete("ISOLA_TEST_SECRET");
  }
});

Deno.test("a program may change its own environment", async () => {
  await using trial = await Trial.serve(`
    import process from "node:process";
    Deno.env.set("A", "1");
    process.env.B = "2";
    Deno.serve(() => Response.json([process.env.A, Deno.env.get("B")]));
  `);
  assert.deepEqual(await trial.json(), ["1", "2"]);
});

Deno.test("a program reads its own files at their relative paths", async () => {
  await using trial = await Trial.serve({
    "main.js": `
      import data from "./data/values.json" with { type: "json" };
      import text from "./data/note.txt" with { type: "text" };
      import { twice } from "./lib/twice.js";
      const relative = await Deno.readTextFile("data/note.txt");
      const byUrl = await Deno.readTextFile(new URL("./data/note.txt", import.meta.url));
      const names = Array.from(Deno.readDirSync("."), ({ name }) => name).sort();
      const lazy = await import("./lib/" + "lazy.js");
      Deno.serve(() => Response.json({ data, text, twice: twice(2), relative, byUrl, names, lazy: lazy.default }));
    `,
    "data/values.json": `{"a":1}`,
    "data/note.txt": "note",
    "lib/twice.js": `export const twice = (x) => 2 * x;`,
    "lib/lazy.js": `export default "lazy";`,
  });
  assert.deepEqual(await trial.json(), {
    data: { a: 1 },
    text: "note",
    twice: 4,
    relative: "note",
    byUrl: "note",
    names: ["data", "lib", "main.js"],
    lazy: "lazy",
  });
});

Deno.test("TypeScript runs as it is", async () => {
  await using trial = await Trial.serve({
    "main.js": `import { greet } from "./greet.ts"; Deno.serve(() => new Response(greet("typed")));`,
    "greet.ts": `enum Kind { A = 1 } export const greet = (name: string): string => name + Kind.A;`,
  });
  assert.equal(await trial.text(), "typed1");
});

Deno.test("a program that ends without serving does not start, and is told how to serve", async () => {
  await using trial = await Trial.start();
  await assert.rejects(trial.assign(`console.log("done");`), {
    name: "SandboxError",
    code: "boot_failure",
    message: "The program ended without serving: call Deno.serve(…), export default { fetch }, " +
      "or listen with a node:http server",
  });
  await trial.logged("done");
});

Deno.test("an error at the top level keeps a program from starting, with its position and causes", async () => {
  await using trial = await Trial.start();
  const files = {
    "main.js": `import { load } from "./load.js";\nload();\n`,
    "load.js":
      `export function load() {\n  throw new Error("broken", { cause: new TypeError("deep") });\n}\n`,
  };
  await assert.rejects(trial.assign(files), (error: Error & { code: string }) => {
    assert.equal(error.code, "boot_failure");
    assert.match(
      error.message,
      /^Error: broken\n {4}at load \(file:\/\/\/app\/load\.js:2:9\)\n {4}at file:\/\/\/app\/main\.js:2:1 \{\n {2}\[cause\]: TypeError: deep/,
    );
    assert.ok(!error.message.includes(trial.home.programsDir), error.message);
    return true;
  });
});

Deno.test("a syntax error and a missing module keep a program from starting, with their position", async () => {
  for (
    const [source, message] of [
      [`const = 1;`, /SyntaxError.*file:\/\/\/app\/main\.js:1:7/s],
      [
        `\nimport "./missing.js";`,
        /Module not found "file:\/\/\/app\/missing\.js".*file:\/\/\/app\/main\.js:2:8/s,
      ],
      [`import { nothing } from "./other.js";`, /SyntaxError.*'nothing'.*file:\/\/\/app\/main\.js:1/s],
    ] as const
  ) {
    await using trial = await Trial.start();
    const files = { "main.js": source, "other.js": "" };
    await assert.rejects(trial.assign(files), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(!error.message.includes(trial.home.programsDir), error.message);
      return true;
    });
  }
});

Deno.test("an error at the top level after the program serves ends it", async () => {
  await using trial = await Trial.serve(`
    Deno.serve(() => new Response("briefly"));
    await new Promise((resolve) => setTimeout(resolve, 10));
    throw new Error("too late");
  `);
  assert.equal((await trial.sandbox.ended).reason, "exited");
  const { level, message } = await trial.logged("too late");
  assert.equal(level, "error");
  assert.match(message, /^Uncaught Error: too late\n {4}at file:\/\/\/app\/main\.js:4:11/);
});

Deno.test("a program that never comes to serve is given up when its time is over", async () => {
  for (
    const source of [
      `await new Promise(() => {});`,
      `setInterval(() => {}, 10); await new Promise(() => {});`,
      `for (;;);`,
    ]
  ) {
    await using trial = await Trial.start();
    await assert.rejects(trial.assign(source, { bootTimeoutMs: 500 }), { code: "boot_timeout" });
    assert.equal((await trial.sandbox.end("boot_timeout")).reason, "boot_timeout");
  }
});

Deno.test("a program that waits for its work before it serves is waited for", async () => {
  await using trial = await Trial.serve(`
    (async () => {
      for (let i = 0; i < 15; i++) await new Promise((resolve) => setTimeout(resolve, 100));
      Deno.serve(() => new Response("at last"));
    })();
  `);
  assert.equal(await trial.text(), "at last");
});

Deno.test("a program has no line to the host of its sandbox", async () => {
  await using trial = await Trial.serve(`
    const channels = [typeof postMessage, typeof Object.getPrototypeOf(globalThis).postMessage];
    Deno.serve(() => Response.json(channels));
  `);
  assert.deepEqual(await trial.json(), ["undefined", "undefined"]);
});
