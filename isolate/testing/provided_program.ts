import { dirname, extname, join } from "node:path";
import type { Program, ProvidedFiles } from "../program.ts";
import type { ModuleIndex } from "../protocol.ts";

/** A program whose modules have other names than their files, for tests. */
export interface ProvidedProgramOptions {
  /** By specifier: a source, or `{ redirect }`. `file:///src/main.js` is the entry. */
  modules: Record<string, string | Uint8Array<ArrayBuffer> | { redirect: string }>;
  importMap?: ModuleIndex["importMap"];
  /** Contents by absolute path; with them, its files are provided. */
  files?: Record<string, string>;
  /** Instead of what puts these in place. */
  provide?: ProvidedFiles["provide"];
}

const ENTRY = "file:///src/main.js";
const FORMATS: Record<string, "json" | "text" | "wasm"> = {
  ".json": "json",
  ".txt": "text",
  ".wasm": "wasm",
};

/** What `Trial` takes for `program`. */
export function providedProgram(options: ProvidedProgramOptions): Partial<Program> {
  const { files = {}, provide = (dir, path, content) => placeFiles(dir, files, content ? path : undefined) } =
    options;
  return {
    entry: ENTRY,
    modules: "modules/index.json",
    populate: async (dir) => {
      await Deno.mkdir(join(dir, "files"));
      await writeModules(join(dir, "modules"), options);
    },
    ...(options.files === undefined && options.provide === undefined
      ? {}
      : { files: { folder: "files", provide } }),
  };
}

async function writeModules(dir: string, { modules, importMap }: ProvidedProgramOptions) {
  const index: ModuleIndex = { modules: {}, importMap };
  await Deno.mkdir(dir);
  for (const [number, [specifier, source]] of Object.entries(modules).entries()) {
    if (typeof source === "object" && "redirect" in source) {
      index.modules[specifier] = source;
      continue;
    }
    const format = FORMATS[extname(specifier)] ?? "module";
    const file = `${number}.${format === "module" ? "js" : format}`;
    index.modules[specifier] = { file, format };
    await Deno.writeFile(
      join(dir, file),
      typeof source === "string" ? new TextEncoder().encode(source) : source,
    );
  }
  await Deno.writeTextFile(join(dir, "index.json"), JSON.stringify(index));
}

/** All of them, empty and of the right size; and what is in one. */
async function placeFiles(dir: string, files: Record<string, string>, wanted: string | undefined) {
  for (const [path, text] of Object.entries(files)) {
    const place = join(dir, "files", path);
    const there = await Deno.lstat(place).then(() => true, () => false);
    if (there && path !== wanted) continue;
    await Deno.mkdir(dirname(place), { recursive: true });
    if (there) await Deno.remove(place);
    await Deno.writeTextFile(place, path === wanted ? text : "\0".repeat(text.length));
    await Deno.chmod(place, path === wanted ? 0o444 : 0);
  }
}
