import module from "node:module";
import { pathToFileURL } from "node:url";
import type { ModuleIndex } from "../protocol.ts";
import { resolveBy } from "./import_map.ts";

/** What {@linkcode useModuleIndex} works with. */
export interface ModuleIndexOptions {
  index: ModuleIndex;
  /** Where its files are; ends in `/`. */
  folder: string;
  /** The program's directory, which is called `/app` where errors are presented. */
  appDir: string;
  /** What makes the sources of what stands for modules of `node:`, by their names, and does what else is to be done. */
  substitutes: Record<string, () => string>;
}

/** An index that is in use. */
export interface UsedModuleIndex {
  /** Errors' text with the names of modules in place of their files'. */
  present(text: string): string;
  /** It is of no effect any more. */
  remove(): void;
}

/** More than any chain of redirects; a ring has no end. */
const MAX_REDIRECTS = 10;
/** Names of modules that stand for others; no program can import them by these. */
const SUBSTITUTE = "isola:";
/** They have their code in themselves, or in this Worker. */
const SELF_CONTAINED = /^(?:data|blob):/;

/**
 * Has all that is imported from now on found in an index, whatever it is called, and nowhere else: nothing is ever fetched.
 * `import.meta.url` is the name; Deno loads, and finds what it has compiled of, the file.
 */
export function useModuleIndex(
  { index: { modules, importMap }, folder, appDir, substitutes }: ModuleIndexOptions,
): UsedModuleIndex {
  const index = new Map(Object.entries(modules));
  const resolve = resolveBy(importMap);
  const sources = new Map<string, string>();
  const own = new URL("./", import.meta.url).href;

  /** The name of the module that is meant, if it is one of the program's. */
  const find = (specifier: string, parent: string): string | undefined => {
    let name = resolve(specifier, parent)?.href ?? specifier;
    for (let i = 0; i < MAX_REDIRECTS; i++) {
      const entry = index.get(name);
      if (entry === undefined) return undefined;
      if ("file" in entry) return name;
      name = entry.redirect;
    }
  };

  const hooks = module.registerHooks({
    resolve(specifier, { parentURL = "", conditions }) {
      const name = find(specifier, parentURL) ?? builtin(specifier);
      if (name !== undefined) {
        const source = Object.hasOwn(substitutes, name) ? substitutes[name]!() : undefined;
        // What is required is the module itself.
        if (source === undefined || conditions.includes("require")) return { url: name, shortCircuit: true };
        sources.set(SUBSTITUTE + name, source);
        return { url: SUBSTITUTE + name, shortCircuit: true };
      }
      if (SELF_CONTAINED.test(specifier)) return { url: specifier, shortCircuit: true };
      throw missing(specifier, parentURL.startsWith(own) ? undefined : parentURL);
    },
    load(url, context, nextLoad) {
      const entry = index.get(url);
      if (entry !== undefined && "file" in entry) {
        // What comes last of this call is what the runtime loads when there is no source: by itself, so with what it has
        // compiled. Of bytes, it does not read the source first.
        nextLoad(pathToFileURL(folder + entry.file).href, {
          ...context,
          importAttributes: { type: "bytes" },
        });
        return { format: undefined, source: undefined, shortCircuit: true };
      }
      const source = sources.get(url);
      if (source !== undefined) return { format: "module", source, shortCircuit: true };
      // A program's own hooks may have led here.
      if (builtin(url) === undefined && !SELF_CONTAINED.test(url)) throw missing(url);
      return nextLoad(url, context);
    },
  });

  const present = (text: string) => {
    for (const [name, entry] of index) {
      if (!("file" in entry)) continue;
      const file = pathToFileURL("/app" + folder.slice(appDir.length) + entry.file).href;
      text = text.replaceAll(file, name);
    }
    return text;
  };
  return { present, remove: () => hooks.deregister() };
}

function builtin(specifier: string): string | undefined {
  if (!module.isBuiltin(specifier)) return undefined;
  return specifier.startsWith("node:") ? specifier : `node:${specifier}`;
}

/** The runtime takes an error's whole text for the message of its own. */
function missing(specifier: string, parent?: string): Error {
  const from = parent === undefined ? "" : ` from "${parent}"`;
  const message =
    `Cannot import "${specifier}"${from}: it is not among the deployment's modules, and nothing is fetched`;
  return Object.assign(new Error(message), { name: "" });
}
