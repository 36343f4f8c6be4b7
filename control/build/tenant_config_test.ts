import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import type { SourceOptions } from "../model.ts";
import { prepareConfig, type TenantConfig } from "./tenant_config.ts";

interface Prepared {
  config: TenantConfig;
  read(path: string): Record<string, unknown>;
}

async function prepare(
  files: Record<string, unknown>,
  source: Partial<SourceOptions> = {},
): Promise<Prepared> {
  const dir = await Deno.makeTempDir({ prefix: "isola-config-" });
  try {
    for (const [path, content] of Object.entries(files)) {
      await Deno.mkdir(dirname(join(dir, path)), { recursive: true });
      await Deno.writeTextFile(
        join(dir, path),
        typeof content === "string" ? content : JSON.stringify(content),
      );
    }
    const config = prepareConfig({
      dir,
      source: { entrypoint: "main.ts", importMap: null, lockFile: null, compilerOptions: null, ...source },
      configs: Object.keys(files).filter((path) => /(deno\.jsonc?|(package|tsconfig)\.json)$/.test(path)),
      hasNodeModules: false,
      placeDir: dir,
      v8Flags: "",
      cacheDir: dir,
      operatorFiles: [],
      deniedNetworks: [],
    });
    const texts = new Map<string, string>();
    for (const path of [...Object.keys(files), config.path]) {
      texts.set(path, await Deno.readTextFile(join(dir, path)));
    }
    return { config, read: (path) => JSON.parse(texts.get(path)!) };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("Of deno.json stays what says how modules are found and compiled", async () => {
  const { config, read } = await prepare({
    "deno.jsonc": `{
      "imports": { "a": "./a.ts", }, // kept
      "tasks": { "start": "rm -rf /" },
      "unstable": ["kv", "sloppy-imports", "ffi"],
      "permissions": { "default": { "all": true } },
      "allowScripts": ["npm:evil"],
      "nodeModulesDir": "none",
      "vendor": true,
      "compilerOptions": { "jsx": "react-jsx", "lib": ["dom"], "types": ["./types.d.ts"] },
    }`,
  });
  assert.equal(config.path, "deno.jsonc");
  assert.deepEqual(read("deno.jsonc"), {
    imports: { a: "./a.ts" },
    compilerOptions: { jsx: "react-jsx" },
    unstable: ["sloppy-imports"],
  });
});

Deno.test("package.json loses its scripts and nothing else", async () => {
  const { config, read } = await prepare({
    "package.json": {
      type: "module",
      scripts: { postinstall: "evil" },
      dependencies: { a: "1", c: "1" },
      devDependencies: { b: "1", c: "1" },
    },
  });
  assert.deepEqual(Object.keys(read("package.json")), ["type", "dependencies", "devDependencies"]);
  assert.deepEqual([...config.development], ["b"]);
  assert.deepEqual(config.packageFolders, ["node_modules"]);
});

Deno.test("tsconfig.json leads to no other file", async () => {
  const { config, read } = await prepare({
    "tsconfig.json": {
      extends: "/etc/tsconfig.json",
      references: [{ path: "/etc" }],
      files: ["/etc/passwd"],
      compilerOptions: { jsx: "react-jsx", types: ["/etc/passwd"], paths: { "*": ["/etc/*"] } },
    },
    "lib/tsconfig.json": "broken",
  });
  assert.deepEqual(read("tsconfig.json"), { compilerOptions: { jsx: "react-jsx" } });
  assert.deepEqual(read("lib/tsconfig.json"), {});
  assert.deepEqual(config.rewritten, ["deno.json"]);
});

Deno.test("A lock file does not say where packages are downloaded", async () => {
  const npm = { "ms@2.1.3": { integrity: "sha512-A", tarball: "http://127.0.0.1/ms.tgz" } };
  const { read } = await prepare({ "deno.json": {}, "deno.lock": { version: "5", npm } });
  assert.deepEqual(read("deno.lock"), { version: "5", npm: { "ms@2.1.3": { integrity: "sha512-A" } } });
});

Deno.test("The configuration is the nearest one above the entry point, inside the deployment", async (t) => {
  const cases: Record<string, [files: string[], entrypoint: string, found: string]> = {
    "beside it": [["deno.json", "src/deno.json"], "src/main.ts", "src/deno.json"],
    "above it": [["deno.json", "other/deno.json"], "src/app/main.ts", "deno.json"],
    "deno.json before deno.jsonc": [["deno.json", "deno.jsonc"], "main.ts", "deno.json"],
    "beside package.json if there is only that": [["app/package.json"], "app/src/main.ts", "app/deno.json"],
    "a new one if there is none": [[], "src/main.ts", "deno.json"],
  };
  for (const [name, [paths, entrypoint, found]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const files = Object.fromEntries([...paths.map((path) => [path, {}]), [entrypoint, ""]]);
      assert.equal((await prepare(files, { entrypoint })).config.path, found);
    });
  }
});

Deno.test("The lock file is the one asked for, then the configuration's, then deno.lock", async (t) => {
  const lock = async (config: unknown, lockFile: string | null, ...there: string[]) => {
    const files = Object.fromEntries([["deno.json", config], ...there.map((path) => [path, {}])]);
    return (await prepare(files, { lockFile })).config.lock;
  };
  await t.step("asked for", async () => {
    assert.deepEqual(await lock({ lock: false }, "my.lock", "my.lock"), { path: "my.lock", frozen: false });
  });
  await t.step("none asked for", async () => assert.equal(await lock({}, "", "deno.lock"), null));
  await t.step("none there", async () => assert.equal(await lock({}, null), null));
  await t.step(
    "switched off",
    async () => assert.equal(await lock({ lock: false }, null, "deno.lock"), null),
  );
  await t.step("found", async () => {
    assert.deepEqual(await lock({}, null, "deno.lock"), { path: "deno.lock", frozen: false });
  });
  await t.step("named and frozen", async () => {
    const config = { lock: { path: "./other.lock", frozen: true } };
    assert.deepEqual(await lock(config, null, "other.lock"), { path: "other.lock", frozen: true });
  });
});

Deno.test("A workspace lends its members its options, and names its folders of packages", async () => {
  const { config } = await prepare({
    "deno.json": { workspace: ["./app"], compilerOptions: { jsx: "react-jsx" } },
    "app/deno.json": {
      name: "@x/app",
      exports: "./main.ts",
      compilerOptions: { jsxImportSource: "hono/jsx" },
    },
  }, { entrypoint: "app/main.ts" });
  assert.equal(config.path, "app/deno.json");
  assert.deepEqual(config.compilerOptions, { jsx: "react-jsx", jsxImportSource: "hono/jsx" });
  assert.deepEqual(config.packageFolders, ["node_modules", "app/node_modules"]);
  assert.deepEqual(config.rewritten, ["deno.json", "app/deno.json"]);
});

Deno.test("A configuration that leads outside the deployment is refused", async (t) => {
  const cases: Record<string, Record<string, unknown>> = {
    "workspace": { "deno.json": { workspace: { members: ["../other"] } } },
    "absolute workspace": { "deno.json": { workspace: ["/srv"] } },
    "npm workspaces": { "package.json": { workspaces: ["packages/*", "../*"] } },
    "links": { "deno.json": { links: ["../lib"] } },
    "importMap": { "deno.json": { importMap: "https://example.com/map.json" } },
    "an encoded importMap": { "deno.json": { importMap: "./%2e%2E/map.json" } },
    "lock": { "deno.json": { lock: "../deno.lock" } },
  };
  for (const [name, files] of Object.entries(cases)) {
    await t.step(name, () => assert.rejects(prepare(files), /outside the deployment/));
  }
});

Deno.test("An import map of the request is a file, whatever its name would mean in a URL", async () => {
  const importMap = "%2e%2e/map.json";
  const { config, read } = await prepare({ "deno.json": {}, [importMap]: {} }, { importMap });
  assert.equal(read(config.path).importMap, "./%252e%252e/map.json");
});
