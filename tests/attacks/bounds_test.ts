import assert from "node:assert/strict";
import { NATIVE } from "./native_attacks.ts";
import { type AttackerOptions, Stage } from "./stage.ts";

const MIB = 1024 ** 2;
/** What one sandbox may have of each; what the kernel counts is never exactly the limit. */
const BOUNDS = { threads: 512, descriptors: 16_384, fileBytes: 16 * MIB, cacheBytes: 16 * MIB };
/** Memory of sockets is the kernel's, which neither the resident set nor RLIMIT_DATA counts. */
const MAX_SOCKET_BYTES = 128 * MIB;

/** What a program at level `full` answers; it runs native code if it is possessed. */
async function answer(code: string, options: AttackerOptions = {}): Promise<unknown> {
  await using stage = await Stage.open({ level: "full" });
  await using attacker = await stage.attacker(
    `${options.possessed ? NATIVE : ""}
    import process from "node:process";
    const T = JSON.parse(process.env.TARGETS);
    Deno.serve(async () => Response.json(await attack()));
    async function attack() { ${code} }`,
    options,
  );
  const answered = JSON.parse(await attacker.text());
  assert.equal(await stage.askVictim(), stage.targets.secret);
  return answered;
}

Deno.test("native code has so many threads and no more, and the neighbour is served", async () => {
  const made = await answer(
    `const { pthread_create } = Deno.dlopen("libc.so.6", {
      pthread_create: { parameters: ["buffer", "pointer", "pointer", "pointer"], result: "i32" },
    }).symbols;
    const { pause } = Deno.dlopen("libc.so.6", { pause: { type: "pointer" } }).symbols;
    for (let made = 0;; made++) if (pthread_create(new BigUint64Array(1), null, pause, null) !== 0) return made;`,
    { possessed: true, memoryMb: 2048 },
  );
  assert.ok(Number(made) > 0 && Number(made) < BOUNDS.threads, `${made}`);
});

Deno.test("native code has so many descriptors and no more", async () => {
  const made = await answer(
    `let made = 0;
    while (c.dup(1) >= 0) made++;
    for (let fd = 0; fd < 1000; fd++) c.syscall(436n, BigInt(made - fd), 0xffffffffn, 0n, 0n, 0n, 0n);
    return made;`,
    { possessed: true },
  );
  assert.ok(Number(made) > 0 && Number(made) < BOUNDS.descriptors, `${made}`);
});

Deno.test("native code cannot write more than the cache holds, nor larger files than it may", async () => {
  const written = await answer(
    `const bytes = new Uint8Array(${MIB});
    const fill = (path) => {
      const fd = call("open", str(path), 0o1102, 0o600);
      let written = 0;
      for (let i = 0; i < 64; i++) {
        const count = Number(c.write(fd, bytes, ${MIB}n));
        if (count < 0) break;
        written += count;
      }
      return written;
    };
    return [fill(T.writable + "/one"), fill(T.writable + "/two")];`,
    { possessed: true },
  ) as number[];
  assert.ok(written[0]! > 0 && written[0]! <= BOUNDS.fileBytes, written.join());
  assert.ok(written[0]! + written[1]! <= BOUNDS.cacheBytes, written.join());
});

Deno.test("memory that native code shares with itself is counted", async () => {
  await using stage = await Stage.open({ level: "full" });
  await using attacker = await stage.attacker(
    `${NATIVE}
    const [READ_WRITE, SHARED_ANONYMOUS] = [3, 0x21];
    Deno.serve(() => {
      const memory = c.mmap(0n, ${200 * MIB}n, READ_WRITE, SHARED_ANONYMOUS, -1, 0n);
      return new Response(String(c.memset(memory, 1, ${200 * MIB}n) !== null));
    });`,
    { possessed: true },
  );
  const before = attacker.sandbox.measure().memoryBytes;
  assert.equal(await attacker.text(), "true");
  assert.ok(attacker.sandbox.measure().memoryBytes - before >= 199 * MIB);
});

/** Bytes that lie in sockets of the sandbox's own loopback interface, because nobody reads them. */
const SOCKET_HOARD = `
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const chunk = new Uint8Array(65_536);
  const kept = [];
  let bytes = 0;
  const fill = async (conn) => {
    for (;;) {
      const count = await conn.write(chunk);
      bytes += count;
    }
  };
  for (let i = 0; i < 32; i++) {
    const near = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    const far = await listener.accept();
    kept.push(near, far);
    for (const conn of [near, far]) fill(conn).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return bytes;`;

Deno.test("a tenant cannot hoard memory in sockets, where its limit does not count it", async () => {
  const hoarded = await answer(`
    const { Worker } = await import("node:worker_threads");
    const code = "const { parentPort } = require('node:worker_threads');" +
      "(async () => {" + ${
    JSON.stringify(SOCKET_HOARD)
  } + "})().then((bytes) => parentPort.postMessage(bytes)," +
      "(error) => parentPort.postMessage(error.name + ' ' + error.message));";
    const worker = new Worker(code, { eval: true });
    return await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));`);
  if (typeof hoarded === "number") assert.ok(hoarded < MAX_SOCKET_BYTES, `${hoarded} bytes`);
  else assert.match(String(hoarded), /NotCapable|PermissionDenied|Operation not permitted/);
});

Deno.test("what is kept in the Cache API is bounded, and no other tenant's", async () => {
  await using stage = await Stage.open({ level: "full" });
  const keep = `
    Deno.serve(async () => {
      const cache = await caches.open("cache");
      const found = await cache.match("http://cache/secret");
      let kept = 0;
      try {
        for (; kept < 64; kept++) await cache.put("http://cache/" + kept, new Response(new Uint8Array(${MIB})));
      } catch {}
      try { await cache.put("http://cache/secret", new Response("secret")); } catch {}
      return Response.json({ found: found !== undefined, kept });
    });`;
  for (let tenant = 0; tenant < 2; tenant++) {
    await using attacker = await stage.attacker(keep);
    const { found, kept } = JSON.parse(await attacker.text());
    assert.equal(found, false);
    assert.ok(kept * MIB <= BOUNDS.cacheBytes, `${kept} MiB`);
  }
});
