import { dirname, join } from "node:path";

/** What the nearest package.json says about how a file is read (Node.js, "Determining module system"). */
export class PackageTypes {
  readonly #root: string;
  readonly #byFolder = new Map<string, string | undefined>();

  /** @param root the folder above which no package.json counts */
  constructor(root: string) {
    this.#root = root;
  }

  /** Whether a file is an ES module; `undefined` = its own text decides. */
  isEsm(path: string): boolean | undefined {
    if (/\.m[jt]s$/.test(path)) return true;
    if (/\.c[jt]s$/.test(path)) return false;
    const type = this.#typeOf(dirname(path));
    if (path.includes("/node_modules/")) return type === "module";
    // Without a type Node's programs are CommonJS and Deno's are not.
    return type === "module" ? true : undefined;
  }

  #typeOf(folder: string): string | undefined {
    if (this.#byFolder.has(folder)) return this.#byFolder.get(folder);
    const own = readPackage(folder);
    const isTop = folder === this.#root || dirname(folder) === folder;
    const type = own || isTop ? own?.type : this.#typeOf(dirname(folder));
    this.#byFolder.set(folder, type);
    return type;
  }
}

function readPackage(folder: string): { type?: string } | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(join(folder, "package.json")));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
