/** The calls of `deployctl` 1.13.1 (its src/utils/api.ts), as strict about what it is answered with. */

/** What the client says of an answer whose status is not 200. */
export class DeployctlError extends Error {
  override readonly name = "APIError";

  constructor(readonly code: string, message: string, readonly xDenoRay: string | null) {
    super(message);
  }
}

/** One event of a stream, of any shape. */
// deno-lint-ignore no-explicit-any -- JSON of any shape, which the tests look into
export type Json = any;

/** An entry of a manifest. */
export type Entry =
  | { kind: "file"; gitSha1: string; size: number }
  | { kind: "directory"; entries: Record<string, Entry> }
  | { kind: "symlink"; target: string };

/** What is asked for with a deployment. */
export interface PushRequest {
  url: string;
  importMapUrl: string | null;
  production: boolean;
  manifest?: { entries: Record<string, Entry> };
}

/** A client with a token. */
export class DeployctlClient {
  constructor(readonly endpoint: string, readonly token: string) {}

  request(path: string, { method = "GET", body, accept = "application/json", signal }: {
    method?: string;
    body?: unknown;
    accept?: string;
    signal?: AbortSignal;
  } = {}): Promise<Response> {
    return fetch(`${this.endpoint}/api${path}`, {
      method,
      headers: {
        accept,
        authorization: `Bearer ${this.token}`,
        ...(body === undefined || body instanceof FormData ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: body instanceof FormData ? body : JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async json(path: string, options?: { method?: string; body?: unknown }): Promise<Json> {
    const response = await this.request(path, options);
    const text = await response.text();
    if (response.headers.get("content-type") !== "application/json") {
      throw new Error(`Expected JSON, got '${text}'`);
    }
    const json = JSON.parse(text);
    if (response.status === 200) return json;
    throw new DeployctlError(json.code, json.message, response.headers.get("x-deno-ray"));
  }

  /** Events, one a line; an empty line is the end. */
  async stream(
    path: string,
    options: { method?: string; body?: unknown; accept?: string; signal?: AbortSignal } = {},
  ): Promise<AsyncGenerator<Json>> {
    const response = await this.request(path, options);
    if (response.status !== 200) {
      const json = await response.json();
      throw new DeployctlError(json.code, json.message, response.headers.get("x-deno-ray"));
    }
    return lines(response.body!);
  }

  push(
    project: string,
    request: PushRequest,
    files: Uint8Array<ArrayBuffer>[],
  ): Promise<AsyncGenerator<Json>> {
    const form = new FormData();
    form.append("request", JSON.stringify(request));
    for (const bytes of files) form.append("file", new Blob([bytes]));
    return this.stream(`/projects/${project}/deployment_with_assets`, { method: "POST", body: form });
  }

  /** Deploys files as `deployctl deploy` does: only what the server asks for is sent. */
  async deploy(
    project: string,
    files: Record<string, string>,
    { entrypoint = "main.ts", production = false }: { entrypoint?: string; production?: boolean } = {},
  ): Promise<{ sent: number; events: Json[] }> {
    const { entries, contents } = await walk(files);
    const needed: string[] = await this.json(`/projects/${project}/assets/negotiate`, {
      method: "POST",
      body: { entries },
    });
    const request = {
      url: `file:///src/${entrypoint}`,
      importMapUrl: null,
      production,
      manifest: { entries },
    };
    const sent = needed.map((hash) => contents.get(hash)!);
    return { sent: sent.length, events: await Array.fromAsync(await this.push(project, request, sent)) };
  }
}

/** The manifest of files by path, and their contents by hash. */
export async function walk(
  files: Record<string, string>,
): Promise<{ entries: Record<string, Entry>; contents: Map<string, Uint8Array<ArrayBuffer>> }> {
  const root: Record<string, Entry> = {};
  const contents = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const [path, text] of Object.entries(files)) {
    const names = path.split("/");
    const name = names.pop()!;
    let entries = root;
    for (const folder of names) {
      const entry = entries[folder] ??= { kind: "directory", entries: {} };
      if (entry.kind === "directory") entries = entry.entries;
    }
    if (text.startsWith("link:")) {
      entries[name] = { kind: "symlink", target: text.slice("link:".length) };
      continue;
    }
    const bytes = new TextEncoder().encode(text);
    const gitSha1 = await gitSha1Of(bytes);
    contents.set(gitSha1, bytes);
    entries[name] = { kind: "file", gitSha1, size: bytes.length };
  }
  return { entries: root, contents };
}

async function gitSha1Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const blob = new Blob([`blob ${bytes.length}\0`, bytes]);
  return new Uint8Array(await crypto.subtle.digest("SHA-1", await blob.arrayBuffer())).toHex();
}

async function* lines(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Json> {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const line of parts) {
      if (line === "") return;
      yield JSON.parse(line);
    }
  }
}
