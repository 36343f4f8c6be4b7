import { DatabaseSync } from "node:sqlite";
import { freePort, startChild, until } from "./child.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { untilQuiet } from "../measures/quiet.ts";

/** Which directory Deno finds its cache in: one of its own, or that of the runs before. */
type Cache = "empty" | "kept";

/** `deno run` of what a build has made. */
export class BundleRuns implements AsyncDisposable {
  readonly #directory: string;
  #next = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Takes the bundle of a deployment from the data directory of a server. */
  static async prepare(dataDir: string, deploymentId: string): Promise<BundleRuns> {
    using database = new DatabaseSync(`${dataDir}/isola.db`, { readOnly: true });
    const { image } = database.prepare(
      "SELECT image FROM snapshots JOIN deployments ON seq = deployment_seq WHERE id = ?",
    ).get(deploymentId) as { image: string };
    const { mode, entry, files } = JSON.parse(image);
    if (mode !== "bundle") throw new Error(`Cannot run the bundle of "${deploymentId}": it is a ${mode}`);
    const { sha256 } = files[entry];
    const directory = await Deno.makeTempDir({ prefix: "isola-bench-bundle-" });
    await Deno.copyFile(`${dataDir}/blobs/${sha256.slice(0, 2)}/${sha256}`, `${directory}/bundle.js`);
    return new BundleRuns(directory);
  }

  /** Milliseconds from starting the process to the first byte of its answer; it is ended once it has kept what it keeps. */
  async firstByteMs(cache: Cache): Promise<number> {
    const port = freePort();
    const cacheDir = `${this.#directory}/${cache === "kept" ? cache : this.#next++}`;
    const startedAt = performance.now();
    await using child = startChild(
      Deno.execPath(),
      ["run", "--quiet", "--no-config", "-A", `${this.#directory}/bundle.js`],
      { DENO_DIR: cacheDir, DENO_SERVE_ADDRESS: `tcp:127.0.0.1:${port}`, DENO_NO_UPDATE_CHECK: "1" },
    );
    await until("the bundle", () => firstByteMs(port, "bundle.localhost"), child);
    const elapsedMs = performance.now() - startedAt;
    await untilQuiet([child.pid]);
    return elapsedMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
}
