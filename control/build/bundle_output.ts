import { parse } from "es-module-lexer";
import { SourceMap } from "node:module";
import { preludeFor } from "./bundle_prelude.ts";
import { BUNDLE_MAP_PATH, META } from "./esbuild_plugin.ts";

interface RawSourceMap {
  version: 3;
  sources: string[];
  names: string[];
  mappings: string;
}

const NEW_WORKER = /\bnew\s+(?:[\w$]+\.)*Worker\d*\s*\(/g;

/** What a bundle would change, by how it shows in esbuild's output. */
const OBSTACLES: readonly { pattern: RegExp; what: string; onlyIn?: "app" }[] = [
  { pattern: /\bglobImport_[\w$]+\(/g, what: "imports a module by a computed name" },
  { pattern: NEW_WORKER, what: "starts a Worker", onlyIn: "app" },
  { pattern: /\bcreateRequire\d*\(/g, what: "makes a require() of its own", onlyIn: "app" },
  {
    pattern: new RegExp(`\\b${META}\\d*\\.resolve\\(\\s*(?!["'\`]\\.{1,2}/)`, "g"),
    what: "resolves a module name with import.meta.resolve()",
  },
];

/** esbuild's stand-in for `require`, and one of as many characters so that the source map still holds. */
const REQUIRE = /\b__require\b(?!\("node:)/g;
const ownRequire = (index: number) => `__req${index.toString(36).padStart(4, "0")}`;

/** A literal that is still there is of a package that was not found: it will not be found at run time either. */
const LITERAL_ARGUMENT = /^(?:\("[^"]*"\)|\.main\b)/;
const MAX_LITERAL_LENGTH = 300;

/** The default of a CommonJS module is always `module.exports` in Deno; esbuild asks what kind of file imports it. */
const DEFAULT_INTEROP = "isNodeMode || !mod || !mod.__esModule ?";

/** What esbuild made, before it runs as Deno would have run the modules. */
export class BundleOutput {
  readonly #code: string;
  readonly #map: RawSourceMap;
  /** Made when a place is asked for: decoding it takes longer than all the rest, and most programs need none. */
  #sourceMap: SourceMap | undefined;
  #lineStarts: number[] | undefined;

  constructor(code: string, map: string) {
    this.#code = code;
    this.#map = JSON.parse(map) as RawSourceMap;
    this.#map.sources = this.#map.sources.map(bundleRelative);
  }

  /** Where in the program is something that a bundle would change, and what. */
  findObstacle(): string | undefined {
    for (const found of parse(this.#code)[0]) {
      if (found.type === "dynamic" && found.specifier === undefined) {
        return `${this.#place(found.importStart)} imports a module by a computed name`;
      }
    }
    for (const { pattern, what, onlyIn } of OBSTACLES) {
      for (const { index } of this.#code.matchAll(pattern)) {
        const place = this.#place(index);
        if (onlyIn !== "app" || !place.includes("node_modules/")) return `${place} ${what}`;
      }
    }
    return undefined;
  }

  /**
   * The module to run: what belongs to a single file gets its value, the prelude comes first.
   * The source map stays apart: Deno reads it only for a stack trace, and starting without it takes 10–15 % less.
   */
  finish(): { code: string; map: string; requiresAtRunTime: boolean } {
    const requires = new Map<string, string>();
    // A package's Worker is one of its files.
    let requiresAtRunTime = this.#code.search(NEW_WORKER) !== -1;
    const body = this.#code.replace(REQUIRE, (name, offset: number) => {
      const source = this.#source(offset);
      if (source === undefined) return name;
      requiresAtRunTime ||= !LITERAL_ARGUMENT.test(
        this.#code.slice(offset + name.length, offset + MAX_LITERAL_LENGTH),
      );
      if (!requires.has(source)) requires.set(source, ownRequire(requires.size));
      return requires.get(source)!;
    }).replace(DEFAULT_INTEROP, "true ?").replace(/^#!.*/, "");
    const prelude = preludeFor(body, requires);
    const mappings = ";".repeat(prelude.split("\n").length - 1) + this.#map.mappings;
    return {
      code: `${prelude}${body}//# sourceMappingURL=${BUNDLE_MAP_PATH.split("/").at(-1)}\n`,
      map: JSON.stringify({ ...this.#map, mappings }),
      requiresAtRunTime,
    };
  }

  /** "src/main.ts:3" */
  #place(offset: number): string {
    const entry = this.#entry(offset);
    if (!entry) return "the program";
    return `${shown(entry.originalSource)}:${entry.originalLine + 1}`;
  }

  #source(offset: number): string | undefined {
    return this.#entry(offset)?.originalSource.replace(/^\.\.\//, "");
  }

  #entry(offset: number) {
    this.#lineStarts ??= [0, ...this.#code.matchAll(/\n/g).map(({ index }) => index + 1)];
    const line = this.#lineStarts.findLastIndex((start) => start <= offset);
    this.#sourceMap ??= new SourceMap(this.#map as unknown as ConstructorParameters<typeof SourceMap>[0]);
    const entry = this.#sourceMap.findEntry(line, offset - this.#lineStarts[line]!);
    return "originalSource" in entry && entry.originalSource ? entry : undefined;
  }
}

/** A source as seen from the bundle's folder. */
function bundleRelative(source: string): string {
  const name = source.replace(/^(?:app|meta):/, "");
  return name === source || /^https?:/.test(name) ? name : `../${name}`;
}

function shown(source: string): string {
  const name = source.replace(/^\.\.\//, "");
  return name.includes("node_modules/")
    ? name.replace(/^.*node_modules\/\.deno\/[^/]+\//, "")
    : decodeURI(name);
}
