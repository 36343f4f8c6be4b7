const MAX_LENGTH = 255;
/** git-check-ref-format(1). */
const NOT_A_BRANCH = /^[-/.]|[/.]$|\.lock$|\.lock\/|\.\.|\/\/|\/\.|@\{|[\0-\x20\x7f-\x9f~^:?*[\\]/;

/** Whether git would take that for the name of a branch, and a terminal for nothing else. */
export function isBranchName(name: string): boolean {
  return name !== "" && name.length <= MAX_LENGTH && !NOT_A_BRANCH.test(name);
}
