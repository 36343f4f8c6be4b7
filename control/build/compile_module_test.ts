import assert from "node:assert/strict";
import { join } from "node:path";
import { v8Flags } from "../../isolate/mod.ts";
import { AppPaths } from "./app_paths.ts";
import { compileModule } from "./compile_module.ts";

/** Whether the module could be compiled, and what is in the directory then. */
async function compile(source: string): Promise<{ compiled: boolean; names: string[] }> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "isola-compile-" }));
  await Deno.mkdir(join(dir, ".isola"));
  await Deno.writeTextFile(join(dir, "main.mjs"), source);
  const compiled = await compileModule("main.mjs", {
    paths: new AppPaths(dir),
    writable: [dir],
    view: (command) => command,
    signal: new AbortController().signal,
    v8Flags: v8Flags(512),
  });
  const names = (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name).sort();
  await Deno.remove(dir, { recursive: true });
  return { compiled, names };
}

Deno.test("A module is compiled without being run", async () => {
  const { compiled, names } = await compile(`import "node:fs"; for (;;);`);
  assert.ok(compiled);
  assert.deepEqual(names, [".isola", "main.mjs", "main.mjs.compiled"]);
});

Deno.test("A module that cannot be compiled is left as it is", async () => {
  for (const source of ["for (;;", `import "./not_there.js";`]) {
    const { compiled, names } = await compile(source);
    assert.ok(!compiled, source);
    assert.deepEqual(names, [".isola", "main.mjs"]);
  }
});
