import { run } from "../measures/run.ts";

const LDD_TIMEOUT_MS = 10_000;

/** Starts a Worker which serves. */
const HOST = `new Worker(new URL("./app.js", import.meta.url), { type: "module" });`;
const APP = `
const onListen = () => Deno.stdout.writeSync(new Uint8Array(1));
Deno.serve({ path: "/run/app.sock", onListen }, () => new Response("Hello, world"));`;

/**
 * What a start on demand costs whoever does it by hand: bubblewrap with the namespaces of Isola's sandboxes, `deno run` in it,
 * a Worker in that.
 */
export class BareSandbox implements AsyncDisposable {
  readonly #directory: string;
  readonly #libraries: readonly string[];

  private constructor(directory: string, libraries: readonly string[]) {
    this.#directory = directory;
    this.#libraries = libraries;
  }

  /** Writes the program. */
  static async prepare(): Promise<BareSandbox> {
    const listed = await run("ldd", [Deno.execPath()], LDD_TIMEOUT_MS);
    const directory = await Deno.makeTempDir({ prefix: "isola-bench-bare-" });
    await Deno.mkdir(`${directory}/boot`);
    await Deno.writeTextFile(`${directory}/boot/host.js`, HOST);
    await Deno.writeTextFile(`${directory}/boot/app.js`, APP);
    await Deno.mkdir(`${directory}/run`);
    return new BareSandbox(directory, listed.match(/\/\S+(?= \(0x)/g) ?? []);
  }

  /** Milliseconds from starting one to the first byte of its answer through its socket; it is ended then. */
  async firstByteMs(): Promise<number> {
    const startedAt = performance.now();
    await using child = new Deno.Command("bwrap", {
      args: this.#arguments(),
      clearEnv: true,
      // As Isola has it: a cache that cannot be written costs nothing then.
      env: { DENO_DIR: "/dev/null/cache", DENO_EMIT_CACHE_MODE: "disable", DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = child.stdout.getReader();
    const { done } = await reader.read(); // It listens.
    if (done) throw new Error("Cannot start a bare sandbox: it ended");
    const path = `${this.#directory}/run/app.sock`;
    using connection = await Deno.connect({ transport: "unix", path });
    await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nhost: bare.localhost\r\n\r\n"));
    await connection.read(new Uint8Array(1024));
    const elapsedMs = performance.now() - startedAt;
    child.kill("SIGKILL");
    await reader.cancel();
    await Deno.remove(path);
    return elapsedMs;
  }

  #arguments(): string[] {
    return [
      ...["--cap-drop", "ALL", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"],
      ...["--unshare-cgroup-try", "--die-with-parent", "--new-session"],
      ...this.#libraries.flatMap((path) => ["--ro-bind", path, path]),
      ...["--proc", "/proc", "--dev", "/dev", "--ro-bind", Deno.execPath(), "/bin/deno"],
      ...["--ro-bind", `${this.#directory}/boot`, "/boot", "--bind", `${this.#directory}/run`, "/run"],
      ...[
        "--",
        "/bin/deno",
        "run",
        "--quiet",
        "--no-config",
        "--no-lock",
        "--no-remote",
        "--cached-only",
        "-A",
      ],
      "/boot/host.js",
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
}
