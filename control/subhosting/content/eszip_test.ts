import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readEszip } from "./eszip.ts";
import { programModules } from "./program_modules.ts";
import { makeEszip } from "./testing/make_eszip.ts";

const WASM = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const MAIN = `import { x } from "lib/x.ts";
import y from "https://modules.test/y";
import data from "./data.json" with { type: "json" };
import * as wasm from "./m.wasm";
export default { fetch: (): Response => new Response(x + y + data.a + wasm) };`;
const PROGRAM = {
  root: "file:///src/main.ts",
  sources: {
    "file:///src/main.ts": { type: "application/typescript", content: MAIN },
    "file:///lib/x.ts": { type: "application/typescript", content: "export const x: string = `ü`;" },
    "file:///src/data.json": { type: "application/json", content: `{"a": 1}` },
    "file:///src/m.wasm": { type: "application/wasm", content: WASM },
    "https://modules.test/y.js": { type: "application/javascript", content: "export default 1;" },
    "file:///import_map.json": { type: "application/json", content: `{"imports": {"lib/": "./lib/"}}` },
  },
  redirects: { "https://modules.test/y": "https://modules.test/y.js" },
  importMap: "file:///import_map.json",
};

const CONFIG = { entrypoint: "file:///src/main.ts", layer: { kind: "eszip" as const } };

function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("an eszip's modules, redirects and import map become a program", async () => {
  const bytes = await makeEszip(PROGRAM);
  const { index, sources, entry, entryFile } = await programModules(CONFIG, bytes);
  assert.equal(entry, "file:///src/main.ts");
  assert.deepEqual(index.importMap, {
    url: "file:///import_map.json",
    imports: { "lib/": "./lib/" },
    scopes: undefined,
  });
  assert.deepEqual(index.modules["https://modules.test/y"], { redirect: "https://modules.test/y.js" });
  const sourceOf = (specifier: string) => {
    const module = index.modules[specifier];
    assert.ok(module !== undefined && "file" in module);
    return { format: module.format, source: sources.get(module.file) };
  };
  assert.equal(sourceOf("file:///src/data.json").format, "json");
  assert.deepEqual(sourceOf("file:///src/m.wasm"), { format: "wasm", source: WASM });
  // It was transpiled when the archive was made.
  assert.equal(text(sourceOf("file:///lib/x.ts").source), "export const x = `ü`;\n");
  assert.equal(sourceOf("file:///src/main.ts").format, "module");
  assert.match(text(sources.get(entryFile)), /fetch: ?\(\) ?=>/);
});

Deno.test("an eszip that is cut off anywhere is refused, or has all its modules", async () => {
  const bytes = await makeEszip(PROGRAM);
  const whole = await readEszip(bytes);
  let refused = 0;
  for (let length = 0; length < bytes.length; length++) {
    try {
      assert.deepEqual(await readEszip(bytes.slice(0, length)), whole); // Only source maps are missing.
    } catch (error) {
      assert.match((error as Error).message, /^Cannot use the eszip that the origin sent: /);
      refused++;
    }
  }
  assert.ok(refused > 0 && refused < bytes.length);
});

/** An archive of the first version, with checksums. */
function checkedEszip(
  entries: { specifier: string; offset: number; length: number }[],
  sources: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const header = entries.flatMap(({ specifier, offset, length }) => {
    return [
      ...uint32(specifier.length),
      ...bytesOf(specifier),
      0,
      ...[offset, length, 0, 0].flatMap(uint32),
      0,
    ];
  });
  return Uint8Array.from([
    ...bytesOf("ESZIP_V2"),
    ...uint32(header.length),
    ...header,
    ...sha256(header),
    ...uint32(sources.length),
    ...sources,
    ...uint32(0),
  ]);
}

const bytesOf = (text: string) => [...new TextEncoder().encode(text)];
const uint32 = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const sha256 = (bytes: number[]) => [...createHash("sha256").update(Uint8Array.from(bytes)).digest()];

Deno.test("checksums are verified, and no two modules are the same bytes", async () => {
  const source = bytesOf("export {}");
  const sources = Uint8Array.from([...source, ...sha256(source)]);
  const main = { specifier: "file:///a.js", offset: 0, length: source.length };
  const right = await readEszip(checkedEszip([main], sources));
  assert.deepEqual([...right.keys()], ["file:///a.js"]);
  const wrong = sources.slice();
  wrong[0] = 0;
  await assert.rejects(readEszip(checkedEszip([main], wrong)), /the checksum is wrong/);
  const many = Array.from({ length: 9 }, (_, at) => ({ ...main, specifier: `file:///${at}.js` }));
  await assert.rejects(readEszip(checkedEszip(many, sources)), /its modules overlap/);
  await assert.rejects(readEszip(checkedEszip([{ ...main, offset: 2 ** 31 }], sources)), /is not there/);
});

Deno.test("a specifier that takes long to parse is not parsed", async () => {
  const specifier = `http://${"a".repeat(64 * 1024)}/`;
  const eszip = checkedEszip([{ specifier, offset: 0, length: 0 }], new Uint8Array());
  await assert.rejects(readEszip(eszip), /a specifier is longer than 65536 bytes/);
});

Deno.test("an eszip with packages, or of another version, is refused with a text that says why", async () => {
  const bytes = await makeEszip(PROGRAM);
  const npm = checkedEszip([], new Uint8Array());
  npm.set(bytesOf("ESZIP2.1"));
  const section = [...uint32(1), 7, ...sha256([7])];
  const withPackages = Uint8Array.from([...npm.slice(0, 44), ...section, ...uint32(0), ...uint32(0)]);
  await assert.rejects(readEszip(withPackages), /packages from npm/);
  bytes[7] = "9".charCodeAt(0);
  await assert.rejects(readEszip(bytes), /"ESZIP2.9" is a version that is not known/);
});

Deno.test("an entrypoint must be one of the program's JavaScript modules", async () => {
  const bytes = await makeEszip(PROGRAM);
  for (const entrypoint of ["file:///src/other.ts", "file:///src/data.json"]) {
    await assert.rejects(
      programModules({ ...CONFIG, entrypoint }, bytes),
      /is none of its JavaScript modules/,
    );
  }
  const layer = { kind: "bundle" as const, specifier: "file:///src/main.js" };
  await assert.rejects(
    programModules({ ...CONFIG, layer }, Uint8Array.of(0x30)),
    /is none of its JavaScript modules/,
  );
});

Deno.test("a bundle that is not UTF-8 is refused", async () => {
  const layer = { kind: "bundle" as const, specifier: "file:///main.js" };
  const config = { entrypoint: "file:///main.js", layer };
  const good = new TextEncoder().encode("'ü'".repeat(300_000)); // Cut between the bytes of a character.
  assert.deepEqual((await programModules(config, good)).index, {
    modules: { "file:///main.js": { file: "0.mjs", format: "module" } },
    importMap: undefined,
  });
  await assert.rejects(
    programModules(config, Uint8Array.of(0x27, 0xff, 0x27)),
    /"file:\/\/\/main.js" is not UTF-8/,
  );
  await assert.rejects(programModules(config, good.slice(0, -2)), /is not UTF-8/);
});
