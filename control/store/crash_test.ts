import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { openStore, type Store } from "./store.ts";

const ROUNDS = 5;

/** Runs the writer on `dir`, kills it with SIGKILL after `count` lines, and returns all that it printed. */
async function writeUntilKilled(dir: string, count: number): Promise<string[]> {
  const writer = new URL("./testing/crash_writer.ts", import.meta.url);
  writer.searchParams.set("dir", dir);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", writer.href],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines: string[] = [];
  for await (const line of createInterface({ input: Readable.fromWeb(child.stdout) })) {
    lines.push(line);
    if (lines.length === count) child.kill("SIGKILL");
  }
  await child.status;
  return lines;
}

/** Every content that a deployment names is there, and is what its name says. */
async function checkContents(store: Store, id: string): Promise<void> {
  const { files, image } = store.deployments.snapshot(id)!;
  for (const entry of [...Object.values(files), ...Object.values(image?.files ?? {})]) {
    assert.equal(entry.kind, "file");
    if (entry.kind !== "file") continue;
    const bytes = await Deno.readFile(store.blobs.path(entry.sha256));
    assert.equal(createHash("sha256").update(bytes).digest("hex"), entry.sha256);
  }
}

Deno.test("whatever was acknowledged survives kill -9 at any moment, and nothing is there by half", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-crash-" });
  try {
    const created = new Set<string>();
    const finished = new Set<string>();
    for (let round = 1; round <= ROUNDS; round++) {
      for (const line of await writeUntilKilled(dir, round * 7)) {
        const [what, id = ""] = line.split(" ");
        (what === "created" ? created : finished).add(id);
      }
      using store = await openStore(dir);
      await store.blobs.collect({ graceMs: -1 });
      const { integrity_check: integrity } = store.database.get<{ integrity_check: string }>(
        "PRAGMA integrity_check",
      )!;
      assert.equal(integrity, "ok");
      for (const id of created) assert.ok(store.deployments.get(id), id);
      for (const id of finished) assert.equal(store.deployments.get(id)?.status, "success");
      for (const { id } of store.routes().deployments) await checkContents(store, id);
      for (const id of store.pendingDeployments()) {
        assert.equal(store.deployments.snapshot(id)?.image, null);
        await checkContents(store, id);
        store.deployments.finish(id, { status: "failed" });
      }
    }
    assert.ok(finished.size > ROUNDS);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
