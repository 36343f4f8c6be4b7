import { freePort, startChild, until } from "../subjects/child.ts";
import { deployFindings, type DeployTimes } from "./deploy_report.ts";
import type { BenchOptions, Findings } from "../findings.ts";
import { TOKEN } from "../subjects/isola_client.ts";
import { MAIN, startIsolaServer, untilRested } from "../subjects/isola_server.ts";
import { untilQuiet } from "../measures/quiet.ts";
import { run } from "../measures/run.ts";
import { SAVED_APPS, SAVED_PROJECT, SavedApp } from "../measures/saved_app.ts";

const DEPLOY_TIMEOUT_MS = 60_000;

/** What a developer waits for: `isola deploy` of a small folder, and in `isola dev` from a save to the new answer. */
export async function benchDeploy({ rounds = 10, progress }: BenchOptions): Promise<Findings> {
  const times: DeployTimes[] = [];
  for (const name of SAVED_APPS) {
    progress(`deploy and dev, ${name}`);
    await using app = await SavedApp.create(name);
    times.push({ name, deployMs: await deployMs(app, rounds), devMs: await devMs(app, rounds) });
  }
  return deployFindings(times);
}

/** Milliseconds that the whole command takes, of each change of the folder. */
async function deployMs(app: SavedApp, rounds: number): Promise<number[]> {
  const elapsedMs: number[] = [];
  const dataDir = await Deno.makeTempDir({ prefix: "isola-bench-" });
  try {
    await using server = await startIsolaServer({ dataDir });
    const account = ["--url", server.client.url, "--token", TOKEN];
    const options = ["--project", SAVED_PROJECT, "--production", ...account];
    for (let round = 0; round <= rounds; round++) {
      await app.save();
      await untilRested(server);
      const startedAt = performance.now();
      await run(Deno.execPath(), ["run", "-A", MAIN, "deploy", app.folder, ...options], DEPLOY_TIMEOUT_MS);
      if (round > 0) elapsedMs.push(performance.now() - startedAt); // The first fills caches.
      await app.isServed(server.port);
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
  return elapsedMs;
}

/** Milliseconds from writing the file to the first answer that is the new one, of each change of the folder. */
async function devMs(app: SavedApp, rounds: number): Promise<number[]> {
  const elapsedMs: number[] = [];
  const stateDir = await Deno.makeTempDir({ prefix: "isola-bench-" });
  try {
    const port = freePort();
    const addresses = ["--http-addr", `127.0.0.1:${port}`, "--control-addr", "127.0.0.1:0"];
    await app.save();
    await using dev = startChild(Deno.execPath(), ["run", "-A", MAIN, "dev", app.folder, ...addresses], {
      XDG_STATE_HOME: stateDir,
    });
    await until("the first answer", () => app.isServed(port), dev);
    for (let round = 0; round <= rounds; round++) {
      await untilQuiet([dev.pid]);
      const startedAt = performance.now();
      await app.save();
      await until("the new answer", () => app.isServed(port), dev);
      if (round > 0) elapsedMs.push(performance.now() - startedAt);
    }
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
  return elapsedMs;
}
