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
