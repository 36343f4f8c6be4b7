/**
 * Fails when modules of this repository import each other's values in a circle. Every source file is a root, because
 * workers and sandboxes are started by URL and so are in no other file's graph.
 */
import { relative, resolve } from "node:path";
import { type Edges, findCycle } from "./find_cycle.ts";
import { sourceFiles } from "./source_files.ts";

const ROOT = resolve(import.meta.dirname!, "..");

/** The fields of `deno info --json` that are read here; `code` is absent where only types are imported. */
interface ModuleGraph {
  modules: { specifier: string; dependencies?: { code?: { specifier?: string } }[] }[];
}

async function moduleGraph(files: string[]): Promise<ModuleGraph> {
  const root = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(root, files.map((file) => `import "file://${file}";\n`).join(""));
    const args = ["info", "--json", "--config", `${ROOT}/deno.json`, root];
    const { success, stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
    if (!success) throw new Error(`Cannot read the module graph of "${ROOT}": deno info failed`);
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(root);
  }
}

const files = [...sourceFiles(ROOT)];
const edges: Edges = new Map();
for (const { specifier, dependencies } of (await moduleGraph(files)).modules) {
  const targets = (dependencies ?? []).flatMap(({ code }) => code?.specifier ?? []);
  edges.set(specifier, targets.filter((target) => target.startsWith(`file://${ROOT}/`)));
}
const cycle = findCycle(edges);
if (cycle) {
  const path = cycle.map((specifier) => relative(ROOT, new URL(specifier).pathname));
  console.error(`Value-import cycle: ${path.join(" → ")}`);
  Deno.exit(1);
}
console.log(`No value-import cycle among ${files.length} modules`);
