import { createHash } from "node:crypto";
import { join } from "node:path";

/** A registry of npm with one package, `@isola-nobody/scripted`, whose install scripts leave a file behind. */
export class PackageRegistry implements AsyncDisposable {
  readonly requests: { path: string; authorization: string | null }[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #tarball: Promise<Uint8Array<ArrayBuffer>>;

  /** @param mark the file that a script would make */
  constructor(mark: string) {
    this.#tarball = packTarball(mark);
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
      const path = decodeURIComponent(new URL(request.url).pathname);
      this.requests.push({ path, authorization: request.headers.get("authorization") });
      if (path === "/@isola-nobody/scripted") return this.#packument();
      if (path === "/scripted.tgz") return this.#tarball.then((bytes) => new Response(bytes));
      return new Response("", { status: 404 });
    });
  }

  /** Without the scheme. */
  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #packument(): Promise<Response> {
    const integrity = `sha512-${createHash("sha512").update(await this.#tarball).digest("base64")}`;
    const version = {
      name: "@isola-nobody/scripted",
      version: "1.0.0",
      hasInstallScript: true,
      dist: { tarball: `http://${this.host}/scripted.tgz`, integrity },
    };
    return Response.json({
      name: version.name,
      "dist-tags": { latest: "1.0.0" },
      versions: { "1.0.0": version },
    });
  }
}

async function packTarball(mark: string): Promise<Uint8Array<ArrayBuffer>> {
  const dir = await Deno.makeTempDir({ prefix: "isola-package-" });
  try {
    const script = `touch ${mark}`;
    const manifest = {
      name: "@isola-nobody/scripted",
      version: "1.0.0",
      type: "module",
      main: "index.js",
      scripts: { preinstall: script, install: script, postinstall: script, prepare: script },
    };
    await Deno.mkdir(join(dir, "package"));
    await Deno.writeTextFile(join(dir, "package", "package.json"), JSON.stringify(manifest));
    await Deno.writeTextFile(join(dir, "package", "index.js"), `export default "installed";`);
    const tar = new Deno.Command("tar", { args: ["-czf", "-", "-C", dir, "package"] });
    return (await tar.output()).stdout;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
