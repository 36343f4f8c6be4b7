import { dirname, join } from "node:path";
import { CliError } from "./cli_error.ts";
import { isLoopback } from "./loopback.ts";

/** The server and token that `isola login` remembered. */
export interface Credentials {
  url: string;
  token: string;
}

type Environment = Readonly<Record<string, string>>;

const DEFAULT_URL = "http://127.0.0.1:8001";

/**
 * Which server to talk to, and as whom: flags, then the environment, then the folder's link, then what `isola login`
 * remembered. A remembered token goes to its own server alone, and no token to one that only a link names, which came
 * with a repository of somebody else perhaps.
 *
 * @throws {CliError} `usage`: the link names a server that is neither this machine nor the one logged in to
 */
export function resolveCredentials(
  flags: { url?: string; token?: string },
  env: Environment,
  link?: { url: string },
): { url: string; token: string | undefined } {
  const saved = readCredentials(env);
  const named = flags.url ?? (env.ISOLA_URL || undefined);
  if (named === undefined && link !== undefined) refuseUnknown(link.url, saved);
  const url = named ?? link?.url ?? saved?.url ?? DEFAULT_URL;
  const remembered = saved && URL.parse(url)?.origin === saved.url ? saved.token : undefined;
  return { url, token: givenToken(flags, env) ?? remembered };
}

/** The access token of the flags, else of the environment. */
export function givenToken(flags: { token?: string }, env: Environment): string | undefined {
  return flags.token ?? (env.ISOLA_TOKEN || env.ISOLA_ADMIN_TOKEN || undefined);
}

function refuseUnknown(linkedUrl: string, saved: Credentials | undefined): void {
  const { origin, hostname } = new URL(linkedUrl);
  if (origin === saved?.url || isLoopback(hostname)) return;
  throw new CliError(
    "usage",
    `Cannot use server "${origin}" because a folder's link names it: log in to it (isola login --url ${origin}), or ` +
      "give --url or ISOLA_URL",
  );
}

/** Remembers a server and its token in a file that only this user can read. Returns its path. */
export function saveCredentials(credentials: Credentials, env: Environment): string {
  const path = credentialsPath(env);
  if (!path) throw new CliError("failed", "Cannot save credentials: neither XDG_CONFIG_HOME nor HOME is set");
  Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // A new file, renamed: the mode of one that exists would stay as it is.
  const temporary = `${path}.${crypto.randomUUID()}`;
  Deno.writeTextFileSync(temporary, JSON.stringify(credentials, null, 2) + "\n", {
    mode: 0o600,
    createNew: true,
  });
  Deno.renameSync(temporary, path);
  return path;
}

function readCredentials(env: Environment): Credentials | undefined {
  const path = credentialsPath(env);
  if (!path) return undefined;
  try {
    const { url, token } = JSON.parse(Deno.readTextFileSync(path));
    if (typeof url === "string" && typeof token === "string") return { url, token };
    throw new TypeError("url or token is missing");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new CliError("failed", `Cannot read credentials "${path}": ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function credentialsPath(env: Environment): string | undefined {
  const folder = env.XDG_CONFIG_HOME || (env.HOME && join(env.HOME, ".config"));
  return folder ? join(folder, "isola", "credentials.json") : undefined;
}
