import { SignJWT } from "jose";
import { freePort, startChild, until } from "./child.ts";

/** A subhoster of this machine, and how its requests look. */
export interface Subhoster extends AsyncDisposable {
  /** For the server that its requests go to. */
  env: Record<string, string>;
  /** "Name: value" of a request for a deployment, whose origin calls it `NAME-…`. */
  headers(deploymentId: string): Promise<string[]>;
  /** What the origin itself takes for one `boot`, in ms. */
  bootMs(deploymentId: string): Promise<number>;
}

const ID = "bench";
const SECRET = "0123456789abcdef0123456789abcdef";
const LIFETIME_S = 3600;

/**
 * Starts an origin, and writes the configuration of a server into a folder.
 *
 * @param sources Modules by the names that deployments begin with.
 */
export async function startSubhoster(
  folder: string,
  sources: Readonly<Record<string, string>>,
): Promise<Subhoster> {
  const port = freePort();
  const rpcRoot = `http://127.0.0.1:${port}/`;
  for (const [name, source] of Object.entries(sources)) {
    await Deno.writeTextFile(`${folder}/${name}.js`, source);
  }
  const config = `${folder}/subhosting.yaml`;
  const subhosting = [{ id: ID, secret: SECRET, rpcRoots: [rpcRoot] }];
  await Deno.writeTextFile(config, JSON.stringify({ subhosting }));
  const script = new URL("./origin_server.ts", import.meta.url).pathname;
  const origin = startChild(Deno.execPath(), ["run", "-A", script, `${port}`, folder]);
  const bootMs = async (deploymentId: string) => {
    const startedAt = performance.now();
    const response = await fetch(`${rpcRoot}boot?deployment_id=${deploymentId}`);
    await response.bytes();
    if (!response.ok) throw new Error(`Cannot boot "${deploymentId}": ${response.status}`);
    return performance.now() - startedAt;
  };
  await until("the origin", () => bootMs(`${Object.keys(sources)[0]}-0`), origin);
  return {
    env: { ISOLA_CONFIG: config },
    bootMs,
    async headers(deploymentId) {
      const now = Math.floor(Date.now() / 1000);
      const token = await new SignJWT({ deployment_id: deploymentId, rpc_root: rpcRoot })
        .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: ID })
        .setIssuedAt(now)
        .setExpirationTime(now + LIFETIME_S)
        .sign(new TextEncoder().encode(SECRET));
      return [`x-deno-subhost: ${token}`, "x-forwarded-host: app.example"];
    },
    [Symbol.asyncDispose]: () => origin[Symbol.asyncDispose](),
  };
}
