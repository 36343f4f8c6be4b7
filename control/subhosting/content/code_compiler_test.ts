import assert from "node:assert/strict";
import { join } from "node:path";
import { v8Flags } from "../../../isolate/mod.ts";
import { SecretBox } from "../../secrets/secret_box.ts";
import { CodeCompiler } from "./code_compiler.ts";
import { ContentStore } from "./content_store.ts";

const ENTRY = "file:///src/main.js";

Deno.test("programs are compiled without being run, and one that cannot be is left as it is", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-compiler-" });
  {
    const box = new SecretBox(new Uint8Array(32));
    await using store = await ContentStore.open({ dir, box });
    await using compiler = new CodeCompiler({ store, v8Flags: v8Flags(512) });
    const add = async (key: string, code: string) => {
      const sources = new Map([["0.mjs", new TextEncoder().encode(code)]]);
      const index = { modules: { [ENTRY]: { file: "0.mjs", format: "module" as const } } };
      await store.add(key, { index, sources, entry: ENTRY, entryFile: "0.mjs" }, { env: {}, net: null });
      compiler.add(key, "0.mjs");
    };
    await add("acme/good", `import "node:fs"; for (;;);`);
    await add("acme/bad", "for (;;");
    compiler.add("acme/gone", "0.mjs");
    await add("acme/late", "export default {};");
    await compiler.idle();
    const isCompiled = (key: string) => {
      return Deno.stat(store.filePath(key, "0.mjs.compiled")).then(({ size }) => size > 0, () => false);
    };
    const keys = ["acme/good", "acme/bad", "acme/gone", "acme/late"];
    assert.deepEqual(await Promise.all(keys.map(isCompiled)), [true, false, false, true]);
    assert.deepEqual([...Deno.readDirSync(join(dir, "tmp"))], []);
  }
  await Deno.remove(dir, { recursive: true });
});
