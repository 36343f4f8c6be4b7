/**
 * An origin: where Isola gets a deployment's code, configuration and files, and brings its events.
 *
 *     deno run -A origin.ts
 *
 * A deployment is a folder of `deployments/`: `main.js` or `main.eszip`, `config.json`, and in `files/` what the program reads.
 * A deployment never changes; another version has another id. An id may end with `@` and a version: it is the same folder.
 */
// deno-lint-ignore no-import-prefix -- to be copied as one file
import { errors, type JWTPayload, jwtVerify } from "npm:jose@^6.2.17";

/** The root of our calls, `rpc_root` of the relay's tokens. */
const ORIGIN_URL = new URL(Deno.env.get("ORIGIN_URL") ?? "http://127.0.0.1:8003/v0/");
const DEPLOYMENTS = Deno.env.get("DEPLOYMENTS") ?? `${import.meta.dirname}/deployments`;
/** While the secret is changed, the new one is accepted, too. */
const SECRETS = [
  Deno.env.get("SHARED_SECRET") ?? Deno.readTextFileSync(`${import.meta.dirname}/secret`).trim(),
  Deno.env.get("NEXT_SECRET"),
].filter((secret) => secret !== undefined);

/** `import.meta.url` of a program whose configuration does not say. */
const ENTRYPOINT = "file:///src/main.js";
/** A folder's name cannot be hidden, nor lead out of `deployments/`. */
const DEPLOYMENT_ID = /^(\w[\w.-]*)(@[\w.-]+)?$/;

/** `config.json`. */
interface DeploymentConfig {
  entrypoint?: string;
  envs?: Record<string, string>;
  permissions?: { net?: boolean | string[] };
}

/** One line of what is posted as events. One that comes twice has the same `event_id`. */
interface Event {
  deployment_id: string;
  timestamp: string;
  event_type: string;
  event: { msg?: string; level?: string } & Record<string, unknown>;
  context?: { event_id?: string };
}

type Entry = { kind: "directory" } | { kind: "file"; size: number; hash: string };

/** The calls by their names. */
const CALLS: Record<string, (request: Request, query: URLSearchParams) => Promise<Response>> = {
  boot: (_, query) => boot(folderOf(query)),
  read_tree: (_, query) => readTree(folderOf(query)),
  read_blob: (_, query) => readBlob(folderOf(query), query.get("hash")),
  events: (request) => printEvents(request),
};

/** A program and its configuration. */
async function boot(folder: string): Promise<Response> {
  const program = await Deno.readFile(`${folder}/main.js`).catch(() => Deno.readFile(`${folder}/main.eszip`));
  const config: DeploymentConfig = JSON.parse(await Deno.readTextFile(`${folder}/config.json`));
  const json = JSON.stringify({ entrypoint: ENTRYPOINT, ...config });
  return new Response(program, { headers: { "x-deno-config": ascii(json) } });
}

/** Header fields are ASCII; JSON may be. */
function ascii(json: string): string {
  return json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** What files there are. A folder without `files/` is answered with 404, as if there were none. */
async function readTree(folder: string): Promise<Response> {
  const entries: Record<string, Entry> = { "": { kind: "directory" } };
  for await (const [path, entry] of filesIn(`${folder}/files`)) entries[path] = entry;
  return Response.json({ entries });
}

/** A file's content. */
async function readBlob(folder: string, hash: string | null): Promise<Response> {
  for await (const [path, entry] of filesIn(`${folder}/files`)) {
    if (entry.kind === "file" && entry.hash === hash) {
      return new Response((await Deno.open(`${folder}/files${path}`)).readable);
    }
  }
  return new Response(null, { status: 404 });
}

async function* filesIn(root: string, path = ""): AsyncGenerator<[path: string, Entry]> {
  for await (const { name, isDirectory } of Deno.readDir(root + path)) {
    const below = `${path}/${name}`;
    if (isDirectory) {
      yield [below, { kind: "directory" }];
      yield* filesIn(root, below);
    } else {
      const content = await Deno.readFile(root + below);
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", content)).toHex();
      yield [below, { kind: "file", size: content.length, hash }];
    }
  }
}

/** What became of isolates, and what they logged. */
async function printEvents(request: Request): Promise<Response> {
  const lines = await new Response(request.body!.pipeThrough(new DecompressionStream("gzip"))).text();
  for (const line of lines.trim().split("\n")) {
    const { timestamp, deployment_id, event_type, event }: Event = JSON.parse(line);
    const told = event.msg === undefined ? JSON.stringify(event) : `${event.level ?? ""} ${event.msg}`.trim();
    console.log(`${timestamp} ${deployment_id} ${event_type}: ${told.trimEnd()}`);
  }
  return new Response();
}

/** @throws {Deno.errors.NotFound} */
function folderOf(query: URLSearchParams): string {
  const [, name] = DEPLOYMENT_ID.exec(query.get("deployment_id") ?? "") ?? [];
  if (name === undefined) throw new Deno.errors.NotFound();
  return `${DEPLOYMENTS}/${name}`;
}

/**
 * It is Isola who calls, about this deployment. The relay signs with the same secret: its tokens name an `rpc_root`.
 *
 * @throws {errors.JOSEError}
 */
async function verify(request: Request, query: URLSearchParams): Promise<void> {
  const token = request.headers.get("authorization")?.replace(/^Bearer /i, "") ?? "";
  const payload = await signedPayload(token);
  if ("rpc_root" in payload || payload.deployment_id !== (query.get("deployment_id") ?? undefined)) {
    throw new errors.JWTClaimValidationFailed("Not the token of this call", payload);
  }
}

async function signedPayload(token: string): Promise<JWTPayload> {
  const options = { algorithms: ["HS256"], requiredClaims: ["iat", "exp"] };
  const tries = SECRETS.map((secret) => jwtVerify(token, new TextEncoder().encode(secret), options));
  const results = await Promise.allSettled(tries);
  const verified = results.find((result) => result.status === "fulfilled");
  if (verified === undefined) throw new errors.JWSSignatureVerificationFailed();
  return verified.value.payload;
}

Deno.serve({
  hostname: ORIGIN_URL.hostname,
  port: Number(ORIGIN_URL.port),
  onListen: ({ hostname, port }) => console.log(`Origin on http://${hostname}:${port}${ORIGIN_URL.pathname}`),
}, async (request) => {
  const { pathname, searchParams } = new URL(request.url);
  const name = pathname.startsWith(ORIGIN_URL.pathname) ? pathname.slice(ORIGIN_URL.pathname.length) : "";
  if (!Object.hasOwn(CALLS, name)) return new Response(null, { status: 404 });
  try {
    await verify(request, searchParams);
    return await CALLS[name]!(request, searchParams);
  } catch (error) {
    if (error instanceof errors.JOSEError) return new Response(error.message, { status: 401 });
    if (error instanceof Deno.errors.NotFound) return new Response(null, { status: 404 });
    console.error(error);
    return new Response(null, { status: 500 });
  }
});
