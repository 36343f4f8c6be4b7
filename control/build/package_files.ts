import { posix } from "node:path";
import { type BuiltFile, MAX_IMAGE_FILES } from "./protocol.ts";
import { BuildError } from "./build_error.ts";

/** What only people, type checkers and debuggers read. */
const NOT_FOR_PROGRAMS = /(?:\.d\.[cm]?ts|\.map|\.md|\.markdown)$/i;
/** Deno's own notes about an installation. */
const BOOKKEEPING: ReadonlySet<string> = new Set([".bin", ".deno.lock", ".setup-cache.bin", ".initialized"]);

/** Which packages are wanted. */
export interface PackageFilesOptions {
  /** The build directory. */
  dir: string;
  /** Relative paths of `node_modules` folders; the first one holds the packages themselves. */
  folders: readonly string[];
  /** Paths of modules that the program imports. */
  used: Iterable<string>;
  /** Names of packages that only development needs. */
  development: ReadonlySet<string>;
}

/**
 * The files of `node_modules` folders that Deno made (`node_modules/.deno/{name}@{version}/node_modules/{name}`, symlinks
 * from everywhere else) which the program can reach at run time.
 *
 * @throws {BuildError} there are too many
 */
export function packageFiles({ dir, folders, used, development }: PackageFilesOptions): BuiltFile[] {
  const [main = "node_modules"] = folders;
  const walk = new PackageWalk(dir, main);
  for (const path of used) {
    const store = walk.storeOf(path);
    if (store) walk.addStore(store);
  }
  const isWanted = (name: string, store: string | undefined) =>
    !development.has(name) || (store !== undefined && walk.has(store));
  for (const folder of folders) walk.addLinks(folder, isWanted);
  walk.addLinks(`${main}/.deno/node_modules`, (_name, store) => store !== undefined && walk.has(store));
  return walk.files;
}

class PackageWalk {
  readonly files: BuiltFile[] = [];
  readonly #dir: string;
  readonly #store: string;
  readonly #added = new Set<string>();

  constructor(dir: string, folder: string) {
    this.#dir = dir;
    this.#store = `${folder}/.deno/`;
  }

  has(store: string): boolean {
    return this.#added.has(store);
  }

  /** The store folder of one version of a package that a path lies in. */
  storeOf(path: string): string | undefined {
    if (!path.startsWith(this.#store)) return undefined;
    const end = path.indexOf("/", this.#store.length);
    return end === -1 ? undefined : path.slice(0, end);
  }

  /** Links to packages, and these packages. */
  addLinks(folder: string, wanted: (name: string, store: string | undefined) => boolean, scope = ""): void {
    for (const { name, isSymlink, isDirectory } of this.#list(folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory && name.startsWith("@")) this.addLinks(path, wanted, `${name}/`);
      if (!isSymlink) continue;
      const target = Deno.readLinkSync(posix.join(this.#dir, path)).replace(/\/$/, "");
      const store = this.storeOf(`${posix.join(posix.dirname(path), target)}/`);
      if (!wanted(scope + name, store)) continue;
      this.#add({ path, target });
      if (store) this.addStore(store);
    }
  }

  /** One version of a package with what it depends on. */
  addStore(store: string): void {
    if (this.#added.has(store)) return;
    this.#added.add(store);
    this.addLinks(`${store}/node_modules`, () => true);
    this.#addFiles(`${store}/node_modules`);
  }

  #addFiles(folder: string): void {
    for (const { name, isFile, isDirectory } of this.#list(folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory) this.#addFiles(path);
      else if (isFile && !NOT_FOR_PROGRAMS.test(name)) this.#add({ path, from: path });
    }
  }

  #add(file: BuiltFile): void {
    if (this.files.push(file) <= MAX_IMAGE_FILES) return;
    throw new BuildError(
      `Cannot add the packages to the deployment: they have more than ${MAX_IMAGE_FILES} files`,
    );
  }

  #list(folder: string): Deno.DirEntry[] {
    try {
      return [...Deno.readDirSync(posix.join(this.#dir, folder))].filter(({ name }) =>
        !BOOKKEEPING.has(name)
      );
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }
}
