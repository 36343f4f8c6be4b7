import { dirname, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname!, "../..");

/** A file's path from the root of the repository, such as "runner/router.ts". */
export function sourcePath(filename: string): string {
  return relative(ROOT, filename);
}

/** Where a relative import leads, from the root of the repository; `undefined` for a bare specifier or a URL. */
export function importedPath(from: string, specifier: string): string | undefined {
  if (!/^\.{0,2}\//.test(specifier)) return undefined;
  return sourcePath(resolve(ROOT, dirname(from), specifier));
}

/** Whether the file is a test, or lies in a folder for tests: `tests/`, which crosses layers, or a layer's `testing/`. */
export function isTest(path: string): boolean {
  return path.endsWith("_test.ts") || path.startsWith("tests/") || path.includes("/testing/");
}
