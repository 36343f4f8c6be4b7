import * as esbuild from "esbuild";
import { init } from "es-module-lexer";
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AppPaths } from "./app_paths.ts";
import { bundle } from "./bundle.ts";
import { type GraphModule, ModuleGraph } from "./module_graph.ts";

/** Bundles an app of which Deno has the remote modules in its cache, and runs it. */
async function runBundle(main: string, remote: Record<string, string>): Promise<unknown> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "isola-bundle-" }));
  try {
    await Deno.mkdir(join(dir, ".isola"));
    await Deno.writeTextFile(join(dir, "main.ts"), main);
    const entry = pathToFileURL(join(dir, "main.ts")).href;
    const modules: GraphModule[] = [{
      specifier: entry,
      local: join(dir, "main.ts"),
      mediaType: "TypeScript",
      kind: "esm",
      dependencies: Object.keys(remote).map((specifier) => ({ specifier, code: { specifier } })),
    }];
    for (const [specifier, source] of Object.entries(remote)) {
      const local = join(dir, `cached${modules.length}`);
      await Deno.writeTextFile(local, source);
      modules.push({ specifier, local, mediaType: "TypeScript", kind: "esm" });
    }
    const paths = new AppPaths(dir);
    const graph = new ModuleGraph({ roots: [entry], modules, redirects: {} }, paths);
    await init;
    const bundled = await bundle({ graph, paths, compilerOptions: {} });
    await esbuild.stop();
    assert.ok(bundled.obstacle === undefined, bundled.obstacle);
    await Deno.writeTextFile(join(dir, ".isola/main.mjs"), bundled.code);
    return (await import(pathToFileURL(join(dir, ".isola/main.mjs")).href)).default;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("Remote modules are part of the bundle and keep their URL", async () => {
  const url = "https://modules.example/lib/a.ts";
  const result = await runBundle(
    `import { meta } from "${url}";\nexport default [meta(), import.meta.main, import.meta.filename!.slice(-8)];`,
    {
      [url]:
        `export const meta = (): unknown[] => [import.meta.url, import.meta.main, import.meta.filename];`,
    },
  );
  assert.deepEqual(result, [[url, false, undefined], true, "/main.ts"]);
});
