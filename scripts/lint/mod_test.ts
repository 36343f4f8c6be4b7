import assert from "node:assert/strict";
import { resolve } from "node:path";
import plugin from "./mod.ts";

/** What one rule says about a file at `path` of this repository with such content. */
function lint(rule: string, path: string, source: string): string[] {
  const filename = resolve(import.meta.dirname!, "../..", path);
  const diagnostics = Deno.lint.runPlugin(plugin, filename, source);
  return diagnostics.filter(({ id }) => id === `isola/${rule}`).map(({ message }) => message);
}

const ALLOWED: [path: string, source: string][] = [
  ["mod.ts", `import { startRunner } from "./runner/mod.ts";`],
  ["mod.ts", `import { openStore } from "./control/mod.ts"; import { boot } from "./isolate/mod.ts";`],
  ["mod.ts", `import metadata from "./deno.json" with { type: "json" };`],
  ["control/routes.ts", `import type { RouteTable } from "../runner/mod.ts";`],
  ["control/routes.ts", `type Table = import("../runner/mod.ts").RouteTable;`],
  ["control/routes.ts", `import { openStore } from "./store/store.ts";`],
  ["control/supervisor/pool.ts", `import { startSandbox } from "../../isolate/mod.ts";`],
  [
    "isolate/sandbox/guest.ts",
    `import { decode } from "../protocol.ts"; import "./console.ts"; import "node:http";`,
  ],
  ["isolate/keeper.ts", `import { encode } from "./protocol.ts";`],
  ["isolate/keeper_test.ts", `import { guest } from "./sandbox/guest.ts"; import "../tests/fixtures.ts";`],
  ["tests/end_to_end_test.ts", `import { main } from "../mod.ts"; import "./fixtures.ts";`],
  ["tests/built_app.ts", `import { build } from "../control/build/build.ts";`],
];

for (const [path, source] of ALLOWED) {
  Deno.test(`layers: ${path} may contain ${source}`, () =>
    assert.deepEqual(lint("layers", path, source), []));
}

const FORBIDDEN: [path: string, source: string, message: RegExp][] = [
  ["control/routes.ts", `import { STATUS } from "../runner/mod.ts";`, /only "import type" is allowed/],
  [
    "control/routes.ts",
    `import { type RouteTable } from "../runner/mod.ts";`,
    /only "import type" is allowed/,
  ],
  ["control/routes.ts", `export * from "../runner/mod.ts";`, /only "import type" is allowed/],
  ["control/routes.ts", `await import("../runner/mod.ts");`, /only "import type" is allowed/],
  [
    "control/routes.ts",
    `import type { RouteTable } from "../runner/contract.ts";`,
    /past its border runner\/mod\.ts/,
  ],
  ["control/routes.ts", `import "../mod.ts";`, /control imports mod\.ts, which the design forbids/],
  ["mod.ts", `import { parse } from "./runner/http1.ts";`, /past its border runner\/mod\.ts/],
  ["runner/router.ts", `import type { Limits } from "../control/mod.ts";`, /runner imports control/],
  ["isolate/keeper.ts", `import type { Route } from "../runner/mod.ts";`, /isolate imports runner/],
  ["isolate/keeper.ts", `import { guest } from "./sandbox/guest.ts";`, /runs only inside the sandbox/],
  ["isolate/sandbox/guest.ts", `import { start } from "../keeper.ts";`, /inside the sandbox/],
  ["isolate/sandbox/guest.ts", `import { z } from "zod";`, /inside the sandbox/],
  ["runner/router.ts", `import "./router_test.ts";`, /never imports tests/],
  ["runner/router.ts", `import "../tests/fixtures.ts";`, /never imports tests/],
  ["runner/router.ts", `import "./testing/test_runner.ts";`, /never imports tests/],
  ["control/routes.ts", `import "../scripts/bench/main.ts";`, /control imports scripts/],
  ["examples/chat/main.ts", `import "../../control/mod.ts";`, /examples imports control/],
  ["runner/router.ts", `import "../../elsewhere.ts";`, /outside every layer/],
];

for (const [path, source, message] of FORBIDDEN) {
  Deno.test(`layers: ${path} may not contain ${source}`, () => {
    const found = lint("layers", path, source);
    assert.ok(
      found.some((text) => message.test(text)),
      `expected ${message}, found ${JSON.stringify(found)}`,
    );
  });
}

const DOORS: [path: string, source: string, problems: number][] = [
  ["control/api/api.ts", `import { cors } from "hono/cors";`, 0],
  ["control/routes.ts", `import { cors } from "hono/cors";`, 1],
  ["control/routes.ts", `import type { Hono } from "hono";`, 0],
  ["control/store/store.ts", `import { DatabaseSync } from "node:sqlite";`, 0],
  ["control/cli/deploy.ts", `import { DatabaseSync } from "node:sqlite";`, 1],
  ["mod.ts", `const env = Deno.env.toObject();`, 0],
  ["runner/router.ts", `const env = Deno.env.toObject();`, 1],
  ["runner/router_test.ts", `const env = Deno.env.toObject();`, 0],
  ["scripts/bench/main.ts", `new Deno.Command("wrk");`, 0],
  ["runner/router.ts", `new Deno.Command("sh");`, 1],
];

for (const [path, source, problems] of DOORS) {
  Deno.test(`doors: ${path} with ${source} has ${problems} problems`, () => {
    assert.equal(lint("doors", path, source).length, problems);
  });
}

const EXPORTS: [source: string, messages: string[]][] = [
  [`/** Ends it. */\nexport function stop() {}`, []],
  [`export function stop() {}`, [`exported "stop" has no JSDoc comment`]],
  [`/** A limit. */\nconst a = 1;\nexport const b = 2;`, [`exported "b" has no JSDoc comment`]],
  [`// A limit.\nexport const limit = 1;`, [`exported "limit" has no JSDoc comment`]],
  [`/** é → 😀 */\nexport type Id = string; // tail\nexport class Z {}`, [
    `exported "Z" has no JSDoc comment`,
  ]],
  [
    `/** Reads. */\nexport function f(a: 1): 1;\nexport function f(a: 2): 2;\nexport function f(a: 1 | 2) { return a; }`,
    [],
  ],
  [`/** Any. */\n// deno-lint-ignore no-explicit-any -- a callback of anything\nexport type Any = any;`, []],
  [`export { a } from "./a.ts";`, []],
];

for (const [source, messages] of EXPORTS) {
  Deno.test(`documented-exports: ${JSON.stringify(source)}`, () => {
    assert.deepEqual(lint("documented-exports", "runner/router.ts", source), messages);
  });
}

Deno.test("documented-exports: a mod.ts opens with what its folder does", () => {
  assert.deepEqual(
    lint("documented-exports", "runner/mod.ts", `/** The data plane. */\nexport * from "./router.ts";`),
    [],
  );
  assert.equal(lint("documented-exports", "runner/mod.ts", `export * from "./router.ts";`).length, 1);
});
