/** A real git server for tests: `git http-backend` (git-http-backend(1)) behind a small CGI bridge, and a clone to commit in. */
import { dirname, join } from "node:path";

/** What a {@linkcode GitServer} asks for. */
export interface GitServerOptions {
  /** `user:password` of Basic authentication; nothing = everybody may read. */
  auth?: string;
  /** PEM of a certificate for localhost, and its key; then it is HTTPS. */
  tls?: { chain: string; privateKey: string };
}

/** A file of a commit: its content, a link, or nothing any more. */
export type CommittedFile = string | Uint8Array | { link: string } | null;

const IDENTITY = {
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.com",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.com",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
};

/** One repository, `/repo.git`, on loopback. */
export class GitServer implements AsyncDisposable {
  readonly url: string;
  /** `host:port`. */
  readonly target: string;
  /** A bare repository, read by nobody else at the time. */
  readonly gitDir: string;
  /** Requests so far: method and path. */
  readonly requests: string[] = [];
  auth: string | undefined;
  readonly #dir: string;
  readonly #workDir: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(dir: string, { auth, tls }: GitServerOptions) {
    this.#dir = dir;
    this.gitDir = join(dir, "repo.git");
    this.#workDir = join(dir, "work");
    this.auth = auth;
    this.#server = Deno.serve(
      {
        hostname: "127.0.0.1",
        port: 0,
        onListen() {},
        ...(tls === undefined ? {} : { cert: tls.chain, key: tls.privateKey }),
      },
      (request) => this.#answer(request),
    );
    const scheme = tls === undefined ? "http" : "https";
    this.target = `${tls === undefined ? "127.0.0.1" : "localhost"}:${this.#server.addr.port}`;
    this.url = `${scheme}://${this.target}/repo.git`;
  }

  /** Starts it with an empty repository whose default branch is `main`. */
  static async start(options: GitServerOptions = {}): Promise<GitServer> {
    const dir = await Deno.makeTempDir({ prefix: "isola-git-server-" });
    const server = new GitServer(dir, options);
    await run(["init", "--quiet", "--bare", "--initial-branch=main", server.gitDir], dir);
    await run(["init", "--quiet", "--initial-branch=main", server.#workDir], dir);
    return server;
  }

  /** Commits and pushes; returns the hash. */
  async commit(
    files: Record<string, CommittedFile>,
    { message = "A change", branch = "main" }: { message?: string; branch?: string } = {},
  ): Promise<string> {
    const git = (...args: string[]) => run(args, this.#workDir);
    await git("symbolic-ref", "HEAD", `refs/heads/${branch}`);
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.#workDir, path);
      await Deno.remove(file).catch(() => {});
      if (content === null) continue;
      await Deno.mkdir(dirname(file), { recursive: true });
      if (content instanceof Uint8Array) await Deno.writeFile(file, content);
      else if (typeof content === "string") await Deno.writeTextFile(file, content);
      else await Deno.symlink(content.link, file);
    }
    await git("add", "--all", "--force");
    await git("commit", "--quiet", "--allow-empty", "-m", message);
    await git("push", "--quiet", "--force", this.gitDir, branch);
    return await git("rev-parse", "HEAD");
  }

  /** Runs git in the repository that is served. */
  git(...args: string[]): Promise<string> {
    return run(args, this.gitDir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await Deno.remove(this.#dir, { recursive: true });
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    this.requests.push(`${request.method} ${pathname}${search}`);
    const expected = this.auth === undefined ? null : `Basic ${btoa(this.auth)}`;
    if (expected !== null && request.headers.get("authorization") !== expected) {
      await request.body?.cancel();
      return new Response("no", { status: 401, headers: { "www-authenticate": 'Basic realm="git"' } });
    }
    const body = new Uint8Array(await request.arrayBuffer());
    const child = new Deno.Command("git", {
      args: ["http-backend"],
      env: {
        ...IDENTITY,
        GIT_PROJECT_ROOT: this.#dir,
        GIT_HTTP_EXPORT_ALL: "1",
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers.get("content-type") ?? "",
        CONTENT_LENGTH: String(body.length),
        HTTP_CONTENT_ENCODING: request.headers.get("content-encoding") ?? "",
        GIT_PROTOCOL: request.headers.get("git-protocol") ?? "",
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    await new Blob([body]).stream().pipeTo(child.stdin).catch(() => {});
    return cgiResponse((await child.output()).stdout);
  }
}

/** RFC 3875 §6. */
function cgiResponse(output: Uint8Array<ArrayBuffer>): Response {
  const text = new TextDecoder("latin1").decode(output);
  const end = text.indexOf("\r\n\r\n");
  const headers = new Headers();
  let status = 200;
  for (const line of text.slice(0, end).split("\r\n")) {
    const [name = "", ...value] = line.split(": ");
    if (name === "Status") status = parseInt(value[0]!);
    else headers.set(name, value.join(": "));
  }
  return new Response(output.subarray(end + 4), { status, headers });
}

async function run(args: string[], cwd: string): Promise<string> {
  const command = new Deno.Command("git", { args, cwd, env: IDENTITY, stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(`git ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).trim();
}
