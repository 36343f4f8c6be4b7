import { run } from "../measures/run.ts";

/** workerd is 160 MB. */
const INSTALL_TIMEOUT_MS = 180_000;

/**
 * Installs a package of npm and resolves with the `node_modules` that it is in. It stays in the user's cache directory, and
 * is installed once. No script of the package runs.
 */
export async function installPackage(name: string, version: string): Promise<string> {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  const directory = `${cache}/isola-bench/${name.replace("/", "+")}@${version}`;
  const modules = `${directory}/node_modules`;
  if (await exists(modules)) return modules;
  await Deno.mkdir(`${cache}/isola-bench`, { recursive: true });
  const unfinished = await Deno.makeTempDir({ dir: `${cache}/isola-bench` });
  try {
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", unfinished];
    await run("npm", ["install", ...flags, `${name}@${version}`], INSTALL_TIMEOUT_MS);
    await Deno.rename(unfinished, directory);
  } catch (error) {
    await Deno.remove(unfinished, { recursive: true });
    throw error;
  }
  return modules;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
