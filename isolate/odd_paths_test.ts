import assert from "node:assert/strict";
import { join } from "node:path";
import { openSandboxHome } from "./home.ts";
import { type Sandbox, startSandbox } from "./sandbox.ts";

async function temporary(name: string): Promise<string> {
  const dir = join(await Deno.makeTempDir({ prefix: "isola-odd-" }), name);
  await Deno.mkdir(dir);
  return dir;
}

Deno.test("a program runs from a data directory and an entry with odd names", async () => {
  const dataDir = await temporary("a b#c%20?ü");
  const logged: string[] = [];
  {
    await using home = await openSandboxHome({ dataDir, denoPath: Deno.execPath() });
    await using sandbox: Sandbox = await startSandbox({
      home,
      id: "odd",
      net: true,
      maxHeapMb: 128,
      onLog: ({ message }) => logged.push(message),
    });
    await sandbox.assign({
      populate: (dir) =>
        Deno.writeTextFile(
          join(dir, "my [main]#1%.js"),
          'console.log(import.meta.url, new Error("here").stack.split("\\n")[1]);Deno.serve(() => new Response());',
        ),
      entry: "my [main]#1%.js",
      env: {},
      net: true,
      memoryMb: 128,
      bootTimeoutMs: 10_000,
    });
    await sandbox.settled(10_000);
  }
  assert.equal(logged.length, 1);
  const [url, frame] = logged[0]!.split(/\s+at /);
  assert.equal(decodeURIComponent(url!), "file:///app/my [main]#1%.js");
  assert.match(frame!, /^file:\/\/\/app\/my/);
  await Deno.remove(join(dataDir, ".."), { recursive: true });
});

Deno.test("a data directory with a comma in its path is refused", async () => {
  const dataDir = await temporary("a,b");
  await assert.rejects(
    openSandboxHome({ dataDir, denoPath: Deno.execPath() }),
    /cannot name a path with a comma/,
  );
  await Deno.remove(join(dataDir, ".."), { recursive: true });
});
