import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Names of modules: Deno's (URLs in the build directory) and the deployment's own (relative, still URL-encoded). */
export class AppPaths {
  readonly dir: string;
  readonly #base: string;

  /** @param dir the build directory, absolute */
  constructor(dir: string) {
    this.dir = dir;
    this.#base = pathToFileURL(join(dir, "/")).href;
  }

  /** Deno's name for a module of the deployment; a remote one has a single name. */
  specifier(name: string): string {
    return /^[a-z][a-z0-9+.-]+:/i.test(name) ? name : this.#base + name;
  }

  /** The deployment's name for a module: a relative path, or the URL of a remote one. */
  name(specifier: string): string {
    return specifier.startsWith(this.#base) ? specifier.slice(this.#base.length) : specifier;
  }

  /** Whether a module is on this machine but not in the build directory. */
  isOutside(specifier: string): boolean {
    return specifier.startsWith("file:") && !specifier.startsWith(this.#base);
  }

  /** Whether a file is in the build directory. */
  contains(path: string): boolean {
    return path.startsWith(this.dir + "/");
  }

  /** What a person calls a module. */
  display(specifier: string): string {
    const name = this.name(specifier);
    return name === specifier ? specifier : this.relative(fileURLToPath(specifier));
  }

  /** A path in the build directory as the deployment knows it. */
  relative(path: string): string {
    return this.contains(path) ? path.slice(this.dir.length + 1) : path;
  }

  /** Text for the build log, in which neither the build directory nor a registry's or proxy's password appears. */
  scrub(text: string): string {
    return text.replaceAll(/\/\/[^/@\s]*@/g, "//").replaceAll(this.#base, "").replaceAll(this.dir + "/", "")
      .replaceAll(this.dir, ".");
  }
}
