/** What an import needs at run time: the module itself, or only its types. */
export type ImportKind = "value" | "type";

/** One `import`, `export … from`, `import()` or `import("…").Type` of a file. */
export interface Import {
  specifier: string;
  kind: ImportKind;
  /** What a diagnostic points at. */
  node: Deno.lint.Node;
}

/** Calls `onImport` for every import of a file whose specifier is a literal. */
export function importVisitor(onImport: (found: Import) => void): Deno.lint.LintVisitor {
  const literal = (node: Deno.lint.Node, kind: ImportKind) => {
    if (node.type === "Literal" && typeof node.value === "string") {
      onImport({ specifier: node.value, kind, node });
    }
  };
  return {
    ImportDeclaration: (node) => literal(node.source, node.importKind),
    ExportAllDeclaration: (node) => literal(node.source, node.exportKind),
    ExportNamedDeclaration: (node) => node.source && literal(node.source, node.exportKind),
    ImportExpression: (node) => literal(node.source, "value"),
    TSImportType: (node) => node.argument.type === "TSLiteralType" && literal(node.argument.literal, "type"),
  };
}
