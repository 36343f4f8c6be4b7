import { join } from "node:path";

/** Settings of an `.npmrc` that name files. */
const NPMRC_FILES = /^[^#;\n]*\b(?:ca|cert|key)file\s*=\s*"?([^"\n]+?)"?\s*$/gm;

/** Files outside a deployment that its build may read, because the operator's settings name them. */
export async function operatorFiles(env: Readonly<Record<string, string>>): Promise<string[]> {
  const named = [env.SSL_CERT_FILE, env.NODE_EXTRA_CA_CERTS];
  if (env.HOME) {
    const npmrc = join(env.HOME, ".npmrc");
    named.push(npmrc, ...await filesNamedBy(npmrc));
  }
  return named.filter((path) => path !== undefined && path.startsWith("/")) as string[];
}

async function filesNamedBy(npmrc: string): Promise<string[]> {
  try {
    return Array.from((await Deno.readTextFile(npmrc)).matchAll(NPMRC_FILES), ([, path]) => path!);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
