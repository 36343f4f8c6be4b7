import { isTest, sourcePath } from "./source_path.ts";

/** Lint rule `isola/documented-exports`: what a source file declares and exports carries a JSDoc comment. */
export const documentedExports: Deno.lint.Rule = {
  create(context) {
    const path = sourcePath(context.filename);
    if (isTest(path) || path.startsWith("examples/")) return {};
    const { sourceCode } = context;
    /** A repeated name is a further overload or the implementation: its first signature carries the comment. */
    const seen = new Set<string>();
    return {
      Program(program) {
        if (!/(^|\/)mod\.ts$/.test(path) || sourceCode.text.trimStart().startsWith("/**")) return;
        context.report({ node: program, message: "mod.ts does not open with what its folder does" });
      },
      ExportNamedDeclaration(node) {
        if (!node.declaration) return;
        for (const name of namesOf(node.declaration)) {
          if (seen.has(name) || hasJsDoc(sourceCode, node)) seen.add(name);
          else context.report({ node, message: `exported "${name}" has no JSDoc comment` });
        }
      },
    };
  },
};

function namesOf(declaration: NonNullable<Deno.lint.ExportNamedDeclaration["declaration"]>): string[] {
  if (declaration.type === "VariableDeclaration") {
    return declaration.declarations.flatMap(({ id }) => id.type === "Identifier" ? [id.name] : []);
  }
  return "id" in declaration && declaration.id?.type === "Identifier" ? [declaration.id.name] : [];
}

/** `getCommentsBefore` of Deno 2.9 lists every comment before the node, so adjacency is read from the text. */
function hasJsDoc(sourceCode: Deno.lint.SourceCode, node: Deno.lint.Node): boolean {
  const comments = sourceCode.getCommentsBefore(node);
  const nearest = comments.findLast(({ value }) => !/^\s*deno-lint-ignore/.test(value));
  if (nearest?.type !== "Block" || !nearest.value.startsWith("*")) return false;
  return /^\s*(\/\/\s*deno-lint-ignore.*\s*)?$/.test(sourceCode.text.slice(nearest.range[1], node.range[0]));
}
