import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Builds, createBuilds } from "../control/build/build.ts";
import { materialize } from "../control/build/materialize.ts";
import type { BuildLog, Image, Manifest, SourceOptions } from "../control/model.ts";
import { openSandboxHome, type SandboxHome, startSandbox } from "../isolate/mod.ts";

const FIXTURES = join(import.meta.dirname!, "fixtures", "build");
const BOOT_TIMEOUT_MS = 30_000;

/** How a build ended, and what the deployment answered in a real sandbox. */
export interface Outcome {
  status: "success" | "failed";
  image?: Image;
  log: BuildLog[];
  /** Bodies by path. */
  answers: Record<string, string>;
}

/** What to build: a fixture's folder, or files. */
export interface AppSource extends Partial<SourceOptions> {
  fixture?: string;
  files?: Record<string, string>;
  /** Of its build command. */
  variables?: Record<string, string>;
  /** Asked for while it runs. */
  ask?: string[];
}

interface Pending {
  manifest: Manifest;
  source: SourceOptions;
  variables: Record<string, string>;
  ask: string[];
  outcome: Omit<Outcome, "status">;
  finished: PromiseWithResolvers<Outcome>;
}

/** Real builds over a real directory of blobs; a deployment boots in a real sandbox. */
export class BuildBench implements AsyncDisposable {
  readonly dir: string;
  readonly #home: SandboxHome;
  readonly #pending = new Map<string, Pending>();
  builds!: Builds;

  private constructor(dir: string, home: SandboxHome) {
    this.dir = dir;
    this.#home = home;
  }

  /**
   * @param options.dir the data directory, which is removed at the end
   * @param options.env what the operator sets beside what this process has
   */
  static async open(
    options: { timeoutMs?: number; dir?: string; env?: Record<string, string> } = {},
  ): Promise<BuildBench> {
    const { timeoutMs } = options;
    const dir = await Deno.realPath(options.dir ?? await Deno.makeTempDir({ prefix: "isola-build-test-" }));
    await Deno.mkdir(join(dir, "blobs"), { recursive: true });
    const bench = new BuildBench(dir, await openSandboxHome({ dataDir: dir, denoPath: Deno.execPath() }));
    bench.builds = await createBuilds({
      dataDir: dir,
      env: { ...Deno.env.toObject(), ...options.env },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      store: {
        owner: (id) => id.split(":", 1)[0]!,
        source: (id) => {
          const pending = bench.#pending.get(id);
          const { manifest: files, source, variables } = pending ?? {};
          return files && source && { files, source, variables };
        },
        materialize: (files, to) =>
          materialize(files, to, (sha256) => bench.#blob(sha256), { writable: true }),
        putFile: async (path) => await bench.#put(await Deno.readFile(path)),
        log: (id, line) => void bench.#pending.get(id)!.outcome.log.push(line),
        boot: (id, image) => bench.#boot(id, image),
        finish: (id, result) => {
          const { outcome, finished } = bench.#pending.get(id)!;
          finished.resolve({ ...outcome, ...result });
        },
      },
    });
    return bench;
  }

  /** Builds and boots an app. */
  async build(id: string, app: AppSource): Promise<Outcome> {
    return await (await this.submit(id, app)).finished;
  }

  /** Resolves when the build is in the queue. */
  async submit(id: string, app: AppSource): Promise<{ finished: Promise<Outcome> }> {
    const manifest: Manifest = {};
    for (const [path, text] of Object.entries(app.files ?? {})) {
      manifest[path] = { kind: "file", ...await this.#put(new TextEncoder().encode(text)) };
    }
    if (app.fixture) await this.#read(join(FIXTURES, app.fixture), "", manifest);
    const { entrypoint = "main.ts", importMap = null, lockFile = null, compilerOptions = null } = app;
    const { ask = ["/"], buildCommand, variables = {} } = app;
    const finished = Promise.withResolvers<Outcome>();
    const options = { entrypoint, importMap, lockFile, compilerOptions };
    const source = buildCommand === undefined ? options : { ...options, buildCommand };
    this.#pending.set(id, { manifest, source, variables, ask, outcome: { log: [], answers: {} }, finished });
    this.builds.submit(id);
    return { finished: finished.promise };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.builds[Symbol.asyncDispose]();
    await this.#home[Symbol.asyncDispose]();
    await Deno.remove(this.dir, { recursive: true });
  }

  async #boot(id: string, image: Image): Promise<void> {
    const { manifest, ask, outcome } = this.#pending.get(id)!;
    const populate = (to: string) =>
      materialize({ ...manifest, ...image.files }, to, (sha256) => this.#blob(sha256));
    await using sandbox = await startSandbox({
      home: this.#home,
      id,
      net: [],
      maxHeapMb: 256,
      onLog: () => {},
      ...(image.config ? { tree: { populate, config: image.config } } : {}),
    });
    const path = await sandbox.assign({
      entry: image.entry,
      env: {},
      net: true,
      memoryMb: 512,
      bootTimeoutMs: BOOT_TIMEOUT_MS,
      ...(image.config ? {} : { populate }),
    });
    using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
    for (const target of ask) {
      const response = await fetch(`http://app.test${target}`, { client });
      outcome.answers[target] = await response.text();
    }
  }

  async #read(dir: string, prefix: string, manifest: Manifest): Promise<void> {
    for await (const { name, isDirectory, isSymlink } of Deno.readDir(dir)) {
      const from = join(dir, name);
      const path = prefix + name;
      if (isSymlink) manifest[path] = { kind: "symlink", target: await Deno.readLink(from) };
      else if (isDirectory) await this.#read(from, `${path}/`, manifest);
      else manifest[path] = { kind: "file", ...await this.#put(await Deno.readFile(from)) };
    }
  }

  #blob(sha256: string): string {
    return join(this.dir, "blobs", sha256);
  }

  async #put(bytes: Uint8Array): Promise<{ sha256: string; size: number }> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    // A build may be reading the same content.
    const temporary = `${this.#blob(sha256)}.${crypto.randomUUID()}`;
    await Deno.writeFile(temporary, bytes);
    await Deno.rename(temporary, this.#blob(sha256));
    return { sha256, size: bytes.length };
  }
}
