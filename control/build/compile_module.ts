import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type CompiledModule, encodeCompiledModule, readCompiledModule } from "../../isolate/mod.ts";
import type { DenoOptions } from "./deno_command.ts";

/** What {@linkcode compileModule} works with. */
export interface CompileOptions extends Pick<DenoOptions, "paths" | "writable" | "view" | "signal"> {
  /** Those that isolates run with. */
  v8Flags: string;
}

/** Of what was made of it: an isolate's start copies it once. */
const MAX_COMPILED_BYTES = 8 * 1024 ** 2;
const WORK_DIR = ".isola/compile";

/**
 * Has Deno load a module as an isolate does, but not run it, and puts what it found out beside it in `path`.compiled.
 *
 * @param path relative to the build directory
 * @returns whether there is such a file now; without one, starts take longer
 */
export async function compileModule(path: string, options: CompileOptions): Promise<boolean> {
  const { paths: { dir }, v8Flags, writable, view, signal } = options;
  const url = pathToFileURL(join(dir, path)).href;
  const cacheDir = join(dir, WORK_DIR);
  const main = join(cacheDir, "main.mjs");
  await Deno.mkdir(cacheDir);
  // Modules run in the order of their imports, and none after one that has failed.
  await Deno.writeTextFile(main, `import "data:text/javascript,throw 0";\nimport ${JSON.stringify(url)};\n`);
  const enclosed = view({
    path: Deno.execPath(),
    args: [
      "run",
      "--no-prompt",
      "--no-config",
      "--no-lock",
      "--no-remote",
      "--cached-only",
      "--node-modules-dir=manual",
      "--unstable-raw-imports",
      v8Flags,
      main,
    ],
  }, { readable: [], writable });
  await new Deno.Command(enclosed.path, {
    args: enclosed.args,
    cwd: dir,
    clearEnv: true,
    env: { DENO_DIR: cacheDir, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
    signal,
  }).output();
  const compiled = kept(cacheDir, url);
  if (compiled === undefined || compiled.code.length > MAX_COMPILED_BYTES) return false;
  await Deno.writeFile(join(dir, `${path}.compiled`), encodeCompiledModule(compiled));
  return true;
}

/** Nothing if Deno ended before it had loaded the module: too large, or wrong in a way that its start will tell. */
function kept(cacheDir: string, url: string): CompiledModule | undefined {
  try {
    return readCompiledModule(cacheDir, url);
  } catch (error) {
    console.error(`Cannot read what Deno made of "${url}":`, error);
    return undefined;
  }
}
