import type { AppPaths } from "./app_paths.ts";
import { BuildError } from "./build_error.ts";

/** A module as `deno info --json` tells of it (2.9). */
export interface GraphModule {
  specifier: string;
  /** File of its content. */
  local?: string;
  mediaType?: string;
  kind?: string;
  error?: string;
  dependencies?: GraphDependency[];
}

/** One import of a module; positions count from 0. */
export interface GraphDependency {
  /** As the module writes it. */
  specifier: string;
  code?: { specifier?: string; error?: string; span?: { start: { line: number; character: number } } };
  isDynamic?: boolean;
}

/** The output of `deno info --json`. */
export interface DenoInfo {
  roots: string[];
  modules: GraphModule[];
  redirects: Record<string, string>;
}

const NOT_PUBLIC = "its host is not a public one";
const IPV6_HOST = /^https?:\/\/\[/;

/** What Deno found behind every import of a deployment: the only authority on what a specifier means. */
export class ModuleGraph {
  readonly entry: string;
  readonly #paths: AppPaths;
  readonly #redirects: ReadonlyMap<string, string>;
  readonly #modules: ReadonlyMap<string, GraphModule>;
  readonly #dependencies = new Map<string, ReadonlyMap<string, GraphDependency>>();

  constructor(info: DenoInfo, paths: AppPaths) {
    this.#paths = paths;
    this.#redirects = new Map(Object.entries(info.redirects));
    this.#modules = new Map(info.modules.map((module) => [module.specifier, module]));
    for (const { specifier, dependencies = [] } of info.modules) {
      this.#dependencies.set(specifier, new Map(dependencies.map((found) => [found.specifier, found])));
    }
    this.entry = this.#redirected(info.roots[0]!);
  }

  get modules(): Iterable<GraphModule> {
    return this.#modules.values();
  }

  /** Where an import leads; `undefined` when Deno does not know. There may be no module, or one with an error. */
  resolve(importer: string, text: string): string | undefined {
    const target = this.#dependencies.get(importer)?.get(text)?.code?.specifier;
    return target === undefined ? undefined : this.#redirected(target);
  }

  module(specifier: string): GraphModule | undefined {
    return this.#modules.get(specifier);
  }

  /** Whether a package of npm is needed. */
  hasPackages(): boolean {
    return this.#modules.values().some(({ kind, specifier }) =>
      kind === "npm" || specifier.startsWith("npm:")
    );
  }

  /**
   * Follows every import from the entry point.
   *
   * @throws {BuildError} one that the program cannot start without has no module, or one leaves the deployment
   */
  check(): void {
    const entry = this.#modules.get(this.entry);
    if (entry?.error || !entry) {
      throw this.#moduleError(this.entry, entry?.error ?? "Module not found", undefined);
    }
    const seen = new Map<string, boolean>();
    const ahead = [{ importer: this.entry, isStatic: true }];
    for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
      const { importer, isStatic } = next;
      const known = seen.get(importer);
      if (known === true || known === isStatic) continue;
      seen.set(importer, isStatic);
      for (const dependency of this.#dependencies.get(importer)?.values() ?? []) {
        const needed = isStatic && !dependency.isDynamic;
        const target = this.#checkImport(importer, dependency, needed);
        if (target !== undefined) ahead.push({ importer: target, isStatic: needed });
      }
    }
  }

  #checkImport(importer: string, dependency: GraphDependency, needed: boolean): string | undefined {
    const { code } = dependency;
    if (!code) return undefined;
    const at = { text: dependency.specifier, place: this.#place(importer, dependency) };
    if (code.specifier === undefined) {
      if (needed) throw cannotResolve(at, this.#reason(code.error ?? "not found"));
      return undefined;
    }
    const specifier = this.#redirected(code.specifier);
    if (this.#paths.isOutside(specifier)) throw cannotResolve(at, "outside the deployment");
    if (IPV6_HOST.test(specifier)) throw cannotResolve(at, NOT_PUBLIC);
    const error = this.#modules.get(specifier)?.error;
    if (error !== undefined && needed) throw this.#moduleError(specifier, error, at);
    return error === undefined ? specifier : undefined;
  }

  #moduleError(specifier: string, error: string, at: Import | undefined): BuildError {
    const syntax = /^SyntaxError: ([^]*?)\n\s+\|\n([^]*)\n\s+at (.*):(\d+):(\d+)$/.exec(error);
    if (syntax) {
      const [, message, frame, file, line, column] = syntax;
      return new BuildError(
        `Cannot parse ${this.#paths.display(file!)}:${line}:${column}: ${message}\n${frame}`,
      );
    }
    if (at) return cannotResolve(at, this.#reason(error));
    return new BuildError(
      `Cannot load the entry point "${this.#paths.display(specifier)}": ${this.#reason(error)}`,
    );
  }

  #reason(error: string): string {
    const reason = this.#paths.scrub(error.split("\n", 1)[0]!).replace(/\.$/, "");
    if (/^Module not found/.test(reason)) return "no such file";
    if (/^Requires import access/.test(reason)) return NOT_PUBLIC;
    return reason.replace(/, run again with .*/, "").replace(
      /^Import ".*?" (not a dependency.*?)( from ".*")?$/,
      "$1",
    ).replace(/^\[\w+\] /, "");
  }

  #place(importer: string, { code }: GraphDependency): string {
    const start = code?.span?.start;
    return this.#paths.display(importer) + (start ? `:${start.line + 1}:${start.character + 1}` : "");
  }

  #redirected(specifier: string): string {
    for (let hops = 0, next; hops < 10 && (next = this.#redirects.get(specifier)); hops++) specifier = next;
    return specifier;
  }
}

interface Import {
  text: string;
  place: string;
}

function cannotResolve({ text, place }: Import, reason: string): BuildError {
  return new BuildError(`Cannot resolve "${text}" imported from ${place}: ${reason}`);
}
