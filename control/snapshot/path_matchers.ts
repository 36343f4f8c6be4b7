import ignore, { type Ignore } from "ignore";

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
