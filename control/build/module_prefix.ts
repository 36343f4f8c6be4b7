/** Comments, white space and a `#!` line: pragma comments (`@jsx`) are read only before the first statement. */
const LEADING = /^\uFEFF?(?:#![^\n]*)?(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)*/;

/**
 * Puts statements before a module's first one, on the same line, so that every line keeps its number and pragma comments
 * stay in front.
 */
export function prefixModule(source: string, statements: string): string {
  const start = LEADING.exec(source)![0].length;
  const lastLine = source.slice(source.lastIndexOf("\n", start - 1) + 1, start);
  const commented = /^\s*(#!|\/\/)/.test(lastLine) ? "\n" : "";
  return source.slice(0, start) + commented + statements + source.slice(start);
}

/** A pragma comment that names the JSX runtime's package makes Deno use it; esbuild waits to be told so. */
export function withJsxRuntime(source: string): string {
  const [leading] = LEADING.exec(source)!;
  if (!/\/\*[^/]*@jsxImportSource\s/.test(leading) || /@jsxRuntime\s/.test(leading)) return source;
  return prefixModule(source, "/** @jsxRuntime automatic */");
}
