import { stripTypeScriptTypes } from "node:module";
import { basename, join } from "node:path";
import { linkModules } from "./boot_linker.ts";

const SANDBOX_DIR = new URL("./sandbox/", import.meta.url);
/** What the sandbox's code and its keeper share. */
const PROTOCOL = new URL("./protocol.ts", import.meta.url);
/** What Deno starts: one module each, because a graph of forty takes 1.2 MB of every sandbox's memory. */
const PROGRAMS = new Set(["guest", "host", "nested_guest", "provided_guest", "shared_host"]);

/**
 * Writes the code that runs inside sandboxes into a new directory, without its types: Deno then has nothing to compile or
 * to keep in a sandbox's own cache.
 */
export async function writeBootCode(bootDir: string): Promise<void> {
  await Deno.mkdir(bootDir, { mode: 0o755 });
  const sources = await readSources();
  for (const [name, code] of sources) {
    const linked = PROGRAMS.has(name)
      ? linkModules(name, sources)
      : code.replaceAll(/from "\.{1,2}\/([a-z0-9_]+)\.ts"/g, 'from "./$1.js"');
    await Deno.writeTextFile(join(bootDir, `${name}.js`), linked);
  }
}

/** JavaScript by the names of its files, without extension. */
async function readSources(): Promise<Map<string, string>> {
  const urls = [PROTOCOL];
  for await (const { name, isFile } of Deno.readDir(SANDBOX_DIR)) {
    if (isFile && name.endsWith(".ts") && !name.endsWith("_test.ts")) urls.push(new URL(name, SANDBOX_DIR));
  }
  const sources = new Map<string, string>();
  for (const url of urls) {
    sources.set(basename(url.pathname, ".ts"), stripTypeScriptTypes(await Deno.readTextFile(url)));
  }
  return sources;
}
