/**
 * `node:fs` and `node:fs/promises` for a program whose files are provided. What the runtime builds on other functions than these
 * is right already (ext/node/polyfills): `Deno`'s for stat, lstat, access, readlink, realpath, all that writes, and their sync
 * forms; `open` and `readFile` for streams and promises.
 */
import process from "node:process";
import { promisify } from "node:util";
import type { FetchedFiles } from "./fetched_files.ts";
import type { NamedPath } from "./file_view.ts";

type AnyFunction = (...args: unknown[]) => unknown;
type Functions = Record<string, AnyFunction>;

interface NodeFs {
  readonly promises: Functions;
  readonly Dir: new (path: string) => unknown;
}

const SYNC = [
  "existsSync",
  "globSync",
  "openSync",
  "opendirSync",
  "readdirSync",
  "readFileSync",
  "statfsSync",
];
const NAMES = ["node:fs", "node:fs/promises"] as const;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/**
 * Sources of modules that stand for `node:fs` and `node:fs/promises`. The functions are replaced when one of them is asked for
 * first: most programs import neither, and loading them takes 15 ms.
 */
export function substituteNodeFs(files: FetchedFiles): Record<string, () => string> {
  const { getBuiltinModule } = process;
  let replaced = false;
  const load = (name: string) => {
    if (!replaced) replaceNodeFs(getBuiltinModule("node:fs") as unknown as NodeFs & Functions, files);
    replaced = true;
    return getBuiltinModule(name) as unknown as Functions;
  };
  process.getBuiltinModule = ((id: string) => {
    const name = NAMES.find((name) => name === id || name === `node:${id}`);
    return name === undefined ? getBuiltinModule(id) : load(name);
  }) as typeof getBuiltinModule;
  return Object.fromEntries(NAMES.map((name) => [name, () => moduleSource(name, Object.keys(load(name)))]));
}

function moduleSource(name: string, keys: string[]): string {
  return [
    `import process from "node:process";`,
    `const module = process.getBuiltinModule("${name}");`,
    `export default module;`,
    `export const { ${keys.filter((key) => IDENTIFIER.test(key)).join(", ")} } = module;`,
  ].join("\n");
}

function replaceNodeFs(fs: NodeFs & Functions, files: FetchedFiles) {
  const { promises, Dir } = fs;
  const functions: Functions = fs;
  const { access, stat } = promises as { access: AnyFunction; stat: AnyFunction };
  const { openAsBlob } = functions as { openAsBlob: AnyFunction };
  const readdir = promises.readdir!;

  const provideContent = (name: string) => {
    const original = functions[name]!;
    const promised = promisify(original) as (...args: unknown[]) => Promise<unknown>;
    functions[name] = (named, ...rest) => {
      const done = rest.at(-1);
      // A descriptor is looked at as it is.
      if (!isPath(named) || typeof done !== "function") return original(named, ...rest);
      callBack(files.at(named, true, (real) => promised(real, ...rest.slice(0, -1))), done);
    };
  };
  const provideCallback = (name: string, promised: AnyFunction) => {
    promises[name] = promised;
    functions[name] = (...args) => callBack(promised(...args.slice(0, -1)) as Promise<unknown>, args.at(-1));
  };

  provideContent("readFile");
  provideContent("open");
  functions.openAsBlob = (named, options) =>
    files.at(named as NamedPath, true, (real) => openAsBlob(real, options));
  provideCallback("readdir", (named, options) =>
    files.at(named as NamedPath, false, async (real) => {
      const entries = await readdir(real, options) as { parentPath?: unknown }[];
      for (const entry of entries) {
        if (typeof entry.parentPath === "string") entry.parentPath = files.present(entry.parentPath);
      }
      return entries;
    }));
  // Its entries come from `Deno.readDir`.
  provideCallback("opendir", async (named) => {
    await access(named);
    return new Dir(String(named));
  });
  const exists = async (named: unknown) =>
    await (stat(named) as Promise<unknown>).then(() => true, () => false);
  functions.exists = Object.assign(
    (named: unknown, done: unknown) =>
      void exists(named).then((there) => process.nextTick(done as AnyFunction, there)),
    { [promisify.custom]: exists },
  );
  // The runtime would throw when nobody can catch it any more.
  functions.watch = () => Deno.watchFs("/");
  for (const name of SYNC) {
    functions[name] = () => {
      throw new Deno.errors.NotSupported(
        `Cannot use ${name} of node:fs: files of this deployment are read asynchronously only`,
      );
    };
  }
}

function isPath(named: unknown): named is NamedPath {
  return typeof named === "string" || named instanceof URL || named instanceof Uint8Array;
}

/** On a tick of its own, where what it throws is nobody else's. */
function callBack(result: Promise<unknown>, done: unknown) {
  const callback = done as AnyFunction;
  result.then(
    (value) => process.nextTick(callback, null, value),
    (error) => process.nextTick(callback, error),
  );
}
