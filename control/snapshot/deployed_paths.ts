import ignore, { type Ignore } from "ignore";

/** Never part of a deployment, whatever the ignore files say: version control, packages (the build makes its own), our state. */
const NEVER_DEPLOYED: ReadonlySet<string> = new Set([
  ".git",
  "node_modules",
  ".isola",
  ".isola.json",
  ".DS_Store",
]);
const EDITOR_LEFTOVER = /^\.#|~$|\.sw[opx]$/;
const SECRET_FILE = /^\.env(\..*)?$/;

/** Whether files and folders of that name are left out everywhere. */
export function isNeverDeployed(name: string): boolean {
  return NEVER_DEPLOYED.has(name) || EDITOR_LEFTOVER.test(name);
}

/** Whether a file of that name holds variables, which are not files of a deployment. */
export function isSecretFile(name: string): boolean {
  return SECRET_FILE.test(name);
}

/** What patterns in the syntax of gitignore(5) name. */
export function ignoreMatcher(patterns: string | readonly string[]): Ignore {
  return ignore({ ignorecase: false }).add(patterns);
}

/** What globs of deno.json name: they start at the folder, where those of a gitignore without "/" match at any depth. */
export function globMatcher(globs: readonly string[]): Ignore {
  return ignoreMatcher(globs.map(anchored));
}

function anchored(glob: string): string {
  const [, negation = "", path = ""] = /^(!?)(?:\.\/)?(.*)$/.exec(glob) ?? [];
  return path.startsWith("**") || path.startsWith("/") ? negation + path : `${negation}/${path}`;
}
