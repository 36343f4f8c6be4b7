import { succeeds } from "./succeeds.ts";

const PATHS = ["/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap"];

/**
 * The path of the bubblewrap (bwrap(1)) that this machine has, if it works; nothing where namespaces are refused.
 *
 * @param args With which it is tried.
 */
export async function workingBwrap(args: readonly string[]): Promise<string | undefined> {
  for (const path of PATHS) if (await succeeds(path, args)) return path;
  return undefined;
}
