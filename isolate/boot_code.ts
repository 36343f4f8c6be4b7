import { stripTypeScriptTypes } from "node:module";
import { basename, join } from "node:path";

const SANDBOX_DIR = new URL("./sandbox/", import.meta.url);
/** What the sandbox's code and its keeper share. */
const PROTOCOL = new URL("./protocol.ts", import.meta.url);

/**
 * Writes the code that runs inside sandboxes into a new directory, without its types: Deno then has nothing to compile or
 * to keep in a sandbox's own cache.
 */
export async function writeBootCode(bootDir: string): Promise<void> {
  await Deno.mkdir(bootDir, { mode: 0o755 });
  const sources = [PROTOCOL];
  for await (const { name, isFile } of Deno.readDir(SANDBOX_DIR)) {
    if (isFile && name.endsWith(".ts") && !name.endsWith("_test.ts")) {
      sources.push(new URL(name, SANDBOX_DIR));
    }
  }
  for (const source of sources) {
    const code = stripTypeScriptTypes(await Deno.readTextFile(source));
    const linked = code.replaceAll(/from "\.{1,2}\/([a-z0-9_]+)\.ts"/g, 'from "./$1.js"');
    await Deno.writeTextFile(join(bootDir, basename(source.pathname, ".ts") + ".js"), linked);
  }
}
