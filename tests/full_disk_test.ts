import assert from "node:assert/strict";
import { startTestServer } from "./server.ts";

/** Builds leave 256 MiB alone. */
const DISK_MB = 400;
const HELLO = `Deno.serve(() => new Response("hello"));`;

Deno.test({
  name:
    "With a full disk what runs is served, changes are refused with the reason, and go on once there is room",
  ignore: Deno.uid() !== 0,
  async fn() {
    const dataDir = await Deno.makeTempDir({ prefix: "isola-full-" });
    const mount = `mount -t tmpfs -o size=${DISK_MB}m,mode=0755 tmpfs ${dataDir} && exec "$@"`;
    const within = ["unshare", "-m", "--propagation", "private", "sh", "-c", mount, "sh"];
    try {
      await using server = await startTestServer({ dataDir, within });
      const { id, projectId } = await server.deploy("full", HELLO);
      assert.equal(await server.text("full"), "hello");
      const disk = `/proc/${server.pid}/root${dataDir}`;
      const filler = `${disk}/filler`;
      await fill(filler);

      const body = {
        entryPointUrl: "main.ts",
        assets: { "main.ts": { kind: "file", content: `${HELLO}// ${"x".repeat(100_000)}` } },
        envVars: {},
      };
      const create = () => server.call("POST", `/v1/projects/${projectId}/deployments`, body);
      const refused = await create();
      assert.equal(refused.status, 507);
      const { code, message } = await refused.json();
      assert.equal(code, "insufficientStorage");
      assert.match(message, /disk is full/);
      assert.equal(await server.text("full"), "hello");
      assert.equal((await server.api("GET", `/v1/deployments/${id}`)).status, "success");

      await Deno.remove(filler);
      const accepted = await create();
      assert.equal(accepted.status, 200);
      const created = await accepted.json();
      assert.equal((await server.built(created.id)).status, "success");
    } finally {
      await Deno.remove(dataDir, { recursive: true });
    }
  },
});

/** Writes until there is no room at all. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  for (let size = 2 ** 20; size >= 1; size = Math.floor(size / 2)) {
    const bytes = new Uint8Array(size);
    try {
      while (await file.write(bytes) > 0);
    } catch (error) {
      assert.equal((error as { code?: string }).code, "ENOSPC");
    }
  }
}
