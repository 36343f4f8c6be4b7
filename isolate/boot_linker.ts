const IMPORT = /^import (\{[^}]*\}|\w+) from "([^"]+)";$/gm;
const EXPORT = /^export ((?:async )?function\*?|class|const) (\w+)/gm;
const COMMENT = /^ *(?:\/\*\*[^]*?\*\/|\/\/.*)$/gm;
/** Empty lines. */
const LINES = /[ \t]*\n(?:[ \t]*\n)*/g;
/** Which types have left behind. */
const SPACES = / {2,}(?=[,;)={])/g;

/**
 * Links modules into one that imports nothing but `node:` modules: each of them runs once, after those that it imports.
 *
 * It knows what `sandbox/` is written with: exported functions, classes and constants, imported by their names from
 * siblings; default imports of `node:` modules; no text over several lines. What the entry exports are functions.
 *
 * @param sources JavaScript by the names of its files, without extension
 * @throws {TypeError} when there is something else
 */
export function linkModules(entry: string, sources: ReadonlyMap<string, string>): string {
  const builtins = new Set<string>();
  const linked = new Map<string, string>();

  const link = (name: string): string => {
    const source = sources.get(name);
    if (source === undefined) throw new TypeError(`Cannot link "${entry}": there is no module "${name}"`);
    const code = source.replaceAll(COMMENT, "").replaceAll(LINES, "\n").replaceAll(SPACES, " ");
    return code.replaceAll(IMPORT, (_, names: string, specifier: string) => {
      if (specifier.startsWith("node:")) {
        builtins.add(specifier);
        return `const ${names} = ${identifier(specifier)};`;
      }
      const imported = specifier.replace(/^\.{1,2}\/(\w+)\.ts$/, "$1");
      if (!linked.has(imported)) linked.set(imported, asFunction(link(imported), imported));
      return `const ${names.replaceAll(" as ", ": ")} = ${identifier(imported)};`;
    });
  };

  const main = link(entry);
  const imports = [...builtins].map((specifier) => `import ${identifier(specifier)} from "${specifier}";`);
  const program = [...imports, ...linked.values(), main].join("\n");
  const [unknown] = /^(?:export (?!(?:async )?function )|import (?!\$)).*/m.exec(program) ?? [];
  if (unknown !== undefined) throw new TypeError(`Cannot link "${entry}": it says "${unknown}"`);
  return program;
}

function identifier(name: string): string {
  return `$${name.replace(/\W/g, "_")}`;
}

/** A scope of its own, whose result is what the module exports. */
function asFunction(code: string, name: string): string {
  const exported: string[] = [];
  const body = code.replaceAll(EXPORT, (_, kind: string, exportedName: string) => {
    exported.push(exportedName);
    return `${kind} ${exportedName}`;
  });
  return `const ${identifier(name)} = (() => {\n${body}\nreturn { ${exported.join(", ")} };\n})();`;
}
