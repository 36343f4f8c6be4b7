import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { v8Flags } from "../command.ts";
import { Trial } from "../testing/trial.ts";
import {
  type CompiledModule,
  decodeCompiledModule,
  encodeCompiledModule,
  readCompiledModule,
} from "./compiled_module.ts";

const SOURCE = `Deno.serve(() => new Response("served"));`;
/** As `Trial` starts its sandboxes. */
const MEMORY_MB = 256;

/** What Deno makes of the source. */
async function compile(): Promise<CompiledModule> {
  const dir = await Deno.makeTempDir({ prefix: "isola-compile-" });
  const main = join(dir, "main.js");
  await Deno.writeTextFile(main, SOURCE);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", v8Flags(MEMORY_MB), "--no-prompt", main],
    env: { DENO_DIR: join(dir, "cache"), NO_COLOR: "1" },
  }).output();
  // It may not listen: it is loaded, which is all that is wanted.
  assert.ok(!success && new TextDecoder().decode(stderr).includes("NotCapable"));
  const compiled = readCompiledModule(join(dir, "cache"), pathToFileURL(main).href);
  await Deno.remove(dir, { recursive: true });
  return compiled!;
}

/** Starts the source in a blank sandbox with this file beside it. */
async function start(trial: Trial, compiled: Uint8Array<ArrayBuffer>): Promise<string> {
  return await trial.sandbox.assign({
    async populate(dir) {
      await Deno.writeTextFile(join(dir, "main.js"), SOURCE);
      await Deno.writeFile(join(dir, "main.js.compiled"), compiled);
    },
    entry: "main.js",
    compiled: "main.js.compiled",
    env: {},
    net: true,
    memoryMb: MEMORY_MB,
    bootTimeoutMs: 30_000,
  });
}

Deno.test("what Deno made of a module survives being a file", () => {
  const compiled: CompiledModule = {
    mediaType: 1,
    infoHash: -(2n ** 63n),
    info: `{"dependencies":[]}`,
    codeHash: 2n ** 63n - 1n,
    code: Uint8Array.of(10, 0, 255, 10),
  };
  assert.deepEqual(decodeCompiledModule(encodeCompiledModule(compiled)), compiled);
});

Deno.test("a sandbox that is blank already finds what was made of its program's module", async () => {
  await using trial = await Trial.start();
  if (trial.home.enclosure.level !== "full") return; // It has no cache then.
  const start0 = { line: 0, character: 0 };
  const dependency = {
    type: "static",
    kind: "import",
    specifier: "./not-there.js",
    specifierRange: [start0, start0],
  };
  const info = JSON.stringify({ dependencies: [dependency] });
  const compiled = encodeCompiledModule({ ...await compile(), info });
  await assert.rejects(start(trial, compiled), /not-there\.js/);
});

const WRONG: Record<string, (compiled: CompiledModule) => Uint8Array<ArrayBuffer>> = {
  "for another source": (compiled) => encodeCompiledModule({ ...compiled, infoHash: 1n, codeHash: 1n }),
  "with code that V8 did not make": (compiled) =>
    encodeCompiledModule({ ...compiled, code: crypto.getRandomValues(new Uint8Array(2_000)) }),
  "with half of the code": (compiled) =>
    encodeCompiledModule({ ...compiled, code: compiled.code.slice(0, compiled.code.length / 2) }),
  "that is no such file": () => new TextEncoder().encode("PK\x03\x04"),
};

for (const [what, make] of Object.entries(WRONG)) {
  Deno.test(`a program starts with a cache ${what}`, async () => {
    await using trial = await Trial.start();
    await start(trial, make(await compile()));
    assert.equal((await trial.sandbox.end("idle")).reason, "idle");
  });
}

Deno.test("a program cannot keep anything in its cache", async () => {
  await using trial = await Trial.serve(`
    const kept = await caches.open("own").then((cache) => cache.put("http://x/", new Response("x")))
      .then(() => "kept", (error) => error.message);
    Deno.serve(() => new Response(kept));
  `);
  assert.notEqual(await trial.text(), "kept");
});
