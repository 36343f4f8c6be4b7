import { importVisitor } from "./import_visitor.ts";
import { isTest, sourcePath } from "./source_path.ts";

/**
 * One door per outside thing: the files or folders that may touch it, so that everything below takes options.
 * Tests, `scripts/` and `examples/` are free.
 */
const DOORS: Record<string, readonly string[]> = {
  "hono": ["control/api/"],
  "zod": ["control/api/", "control/config/", "control/subhosting/"],
  "yaml": ["control/config/"],
  "ignore": ["control/snapshot/"],
  "esbuild": ["control/build/"],
  "es-module-lexer": ["control/build/"],
  "jose": ["control/certificates/acme/", "control/subhosting/", "runner/subhosting/"],
  "@peculiar/x509": ["control/certificates/"],
  "reflect-metadata": ["control/certificates/"],
  "modern-tar": ["control/backup/"],
  "multipasta": ["control/api/deployctl/"],
  "@opentelemetry/api": ["control/telemetry/", "runner/observation/"],
  "node:sqlite": [
    "control/store/",
    "control/logs/",
    "control/backup/",
    "control/doctor/check_state.ts",
    "isolate/deno_cache/",
  ],
  "Deno.args": ["mod.ts", "isolate/sandbox/", "control/git/git_with_egress.ts"],
  "Deno.env": ["mod.ts", "isolate/sandbox/"],
  "Deno.exit": [
    "mod.ts",
    "isolate/sandbox/",
    "control/build/builder_main.ts",
    "control/git/git_with_egress.ts",
  ],
  "Deno.Command": [
    "isolate/",
    "control/build/",
    "control/certificates/",
    "control/dev/",
    "control/doctor/",
    "control/git/",
  ],
  "Deno.dlopen": ["isolate/", "runner/front/"],
  "Deno.addSignalListener": ["mod.ts"],
};

const UNGUARDED = ["scripts/", "examples/"];

/** Lint rule `isola/doors`: an outside thing is used only in the files that the table names. */
export const doors: Deno.lint.Rule = {
  create(context) {
    const path = sourcePath(context.filename);
    if (isTest(path) || UNGUARDED.some((folder) => isAt(path, folder))) return {};
    const check = (thing: string, node: Deno.lint.Node) => {
      const allowed = DOORS[thing];
      if (!allowed || allowed.some((door) => isAt(path, door))) return;
      context.report({ node, message: `${thing} is used outside of ${allowed.join(", ")}` });
    };
    return {
      ...importVisitor(({ specifier, kind, node }) => kind === "value" && check(packageOf(specifier), node)),
      MemberExpression(node) {
        if (node.object.type !== "Identifier" || node.object.name !== "Deno") return;
        if (node.property.type === "Identifier") check(`Deno.${node.property.name}`, node);
      },
    };
  },
};

function isAt(path: string, fileOrFolder: string): boolean {
  return fileOrFolder.endsWith("/") ? path.startsWith(fileOrFolder) : path === fileOrFolder;
}

/** "hono/cors" is hono's; "node:fs/promises" stays itself. */
function packageOf(specifier: string): string {
  return specifier.startsWith("node:") ? specifier : specifier.split("/", 1)[0]!;
}
