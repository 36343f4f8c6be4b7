import { type ImportKind, importVisitor } from "./import_visitor.ts";
import { importedPath, isTest, sourcePath } from "./source_path.ts";

type Layer = "mod.ts" | "deno.json" | "control" | "runner" | "isolate" | "tests" | "scripts" | "examples";

/** The import rules of the design, row imports column: values and types, types alone, or (absent) nothing. */
const MAY_IMPORT: Record<Layer, Partial<Record<Layer, "all" | "types">>> = {
  "mod.ts": { control: "all", runner: "all", isolate: "all", "deno.json": "all" },
  "deno.json": {},
  control: { isolate: "all", runner: "types" },
  runner: {},
  isolate: {},
  tests: { "mod.ts": "all", control: "all", runner: "all", isolate: "all" },
  scripts: {},
  examples: {},
};

/** Code that shares a process with a tenant, and the one file of ours that it may import. */
const SANDBOX = "isolate/sandbox/";
const SANDBOX_PROTOCOL = "isolate/protocol.ts";

/** Lint rule `isola/layers`: an import crosses layers only as the design allows, and only through a `mod.ts`. */
export const layers: Deno.lint.Rule = {
  create(context) {
    const from = sourcePath(context.filename);
    return importVisitor(({ specifier, kind, node }) => {
      const to = importedPath(from, specifier);
      const message = to === undefined ? sandboxProblem(from, specifier) : layerProblem(from, to, kind);
      if (message) context.report({ node, message });
    });
  },
};

function sandboxProblem(from: string, specifier: string): string | undefined {
  if (!from.startsWith(SANDBOX) || isTest(from) || specifier.startsWith("node:")) return undefined;
  return `"${specifier}" is imported inside the sandbox, where only ${SANDBOX_PROTOCOL} and node: built-ins may be`;
}

function layerProblem(from: string, to: string, kind: ImportKind): string | undefined {
  const fromLayer = layerOf(from);
  const toLayer = layerOf(to);
  if (!fromLayer) return undefined;
  if (!toLayer) return `"${to}" is outside every layer`;
  if (isTest(from) && toLayer === "tests") return undefined;
  if (isTest(to) && !isTest(from)) return `"${to}" is imported by source, which never imports tests`;
  if (fromLayer === toLayer) return isTest(from) ? undefined : sandboxBorderProblem(from, to);
  const allowed = MAY_IMPORT[fromLayer][toLayer];
  if (!allowed) return `${fromLayer} imports ${toLayer}, which the design forbids`;
  if (allowed === "types" && kind === "value") {
    return `${fromLayer} imports values of ${toLayer}, where only "import type" is allowed`;
  }
  const border = to === toLayer ? toLayer : `${toLayer}/mod.ts`;
  return isTest(from) || to === border ? undefined : `"${to}" is imported past its border ${border}`;
}

function sandboxBorderProblem(from: string, to: string): string | undefined {
  const inside = from.startsWith(SANDBOX);
  if (inside === to.startsWith(SANDBOX)) return undefined;
  if (!inside) return `"${to}" is imported by the server, but runs only inside the sandbox`;
  if (to === SANDBOX_PROTOCOL) return undefined;
  return `"${to}" is imported inside the sandbox, where only ${SANDBOX_PROTOCOL} may be`;
}

function layerOf(path: string): Layer | undefined {
  const top = path.split("/", 1)[0]!;
  return top in MAY_IMPORT ? top as Layer : undefined;
}
