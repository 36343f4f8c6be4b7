import { createHash } from "node:crypto";
import { basename, join } from "node:path";

type Environment = Readonly<Record<string, string>>;

/** The data directory of `isola dev` for a folder: two can be served in turn. `undefined` = there is no home. */
export function devDataDir(folder: string, env: Environment): string | undefined {
  const base = stateDir(env);
  const hash = createHash("sha256").update(folder).digest("hex").slice(0, 12);
  return base && join(base, "dev", `${basename(folder)}-${hash}`);
}

/** Where the local CA of `isola dev` is, one for all folders, so that it has to be trusted once. */
export function localCaDir(env: Environment): string | undefined {
  const base = stateDir(env);
  return base && join(base, "ca");
}

/** What programs remember on a machine (XDG Base Directory Specification). */
function stateDir(env: Environment): string | undefined {
  const base = env.XDG_STATE_HOME || (env.HOME ? join(env.HOME, ".local", "state") : undefined);
  return base && join(base, "isola");
}
