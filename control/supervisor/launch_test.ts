import assert from "node:assert/strict";
import type { SandboxHome } from "../../isolate/mod.ts";
import { DEFAULT_LIMITS, type Limits } from "../model.ts";
import { type Launch, needsOwnSandbox, programOf } from "./launch.ts";

const PROXIED = { egress: {} } as SandboxHome;
const BARE = { egress: undefined } as SandboxHome;

function launchOf(launch: Partial<Omit<Launch, "limits">>, limits: Partial<Limits> = {}): Launch {
  return {
    image: { entry: "main.js" },
    populate: () => Promise.resolve(),
    env: {},
    net: null,
    ...launch,
    limits: { ...DEFAULT_LIMITS, ...limits },
  };
}

function own(home: SandboxHome, ...launch: Parameters<typeof launchOf>): boolean {
  return needsOwnSandbox(launchOf(...launch), { home, memoryMb: 512 });
}

Deno.test("a program is started in a blank sandbox unless it needs something from the start", () => {
  assert.equal(own(PROXIED, {}), false);
  assert.equal(own(PROXIED, { net: [] }), false);
  assert.equal(own(PROXIED, { net: ["example.com"] }), false);
  assert.equal(own(PROXIED, {}, { memoryMb: 128 }), false);
  assert.equal(own(PROXIED, {}, { memoryMb: 513 }), true);
  assert.equal(own(PROXIED, { image: { entry: "main.ts", config: "deno.json" } }), true);
});

Deno.test("without an egress proxy a list of hosts is the sandbox's from the start", () => {
  assert.equal(own(BARE, {}), false);
  assert.equal(own(BARE, { net: [] }), true);
});

Deno.test("what Deno made of a program is the build's, and never a file of the deployment", () => {
  const bundle = launchOf({ image: { entry: ".isola/main.mjs" } });
  assert.equal(programOf(bundle, () => {}).compiled, ".isola/main.mjs.compiled");
  const tree = launchOf({ image: { entry: "main.ts", config: "deno.json" } });
  assert.equal(programOf(tree, null).compiled, undefined);
});

Deno.test("modules with other names than their files bring what Deno made of the entry with them", () => {
  const modules = { index: "modules/index.json", compiled: "modules/0.mjs.compiled" };
  const program = programOf(launchOf({ image: { entry: "file:///src/main.js" }, modules }), () => {});
  assert.deepEqual(
    [program.entry, program.modules, program.compiled],
    ["file:///src/main.js", modules.index, modules.compiled],
  );
});
