import assert from "node:assert/strict";
import { resolveBy } from "./import_map.ts";

const MAP = {
  url: "file:///src/deno.json",
  imports: {
    "std/": "https://deno.land/std@0.200.0/",
    "std/special/": "./special/",
    "lodash": "npm:lodash@4",
    "https://old.example/a.js": "https://new.example/a.js",
    "./local.js": "./elsewhere.js",
    "nowhere": "bare",
    "@/": "./",
  },
  scopes: {
    "https://deno.land/": { "lodash": "https://esm.sh/lodash" },
    "https://deno.land/x/deep/": { "lodash": "https://esm.sh/lodash@3" },
    "./one.js": { "lodash": "./own_lodash.js" },
  },
};

const MAIN = "file:///src/main.js";
const CASES: [specifier: string, parent: string, url: string | null][] = [
  ["./b.js", MAIN, "file:///src/b.js"],
  ["../b.js", "https://deno.land/x/a/mod.ts", "https://deno.land/x/b.js"],
  ["/b.js", "https://deno.land/x/a/mod.ts", "https://deno.land/b.js"],
  ["https://deno.land/x/z.js", MAIN, "https://deno.land/x/z.js"],
  ["std/path/mod.ts", MAIN, "https://deno.land/std@0.200.0/path/mod.ts"],
  ["std/special/x.js", MAIN, "file:///src/special/x.js"],
  ["std/../../etc/x.js", MAIN, null],
  ["lodash", MAIN, "npm:lodash@4"],
  ["lodash", "https://deno.land/x/mod.ts", "https://esm.sh/lodash"],
  ["lodash", "https://deno.land/x/deep/mod.ts", "https://esm.sh/lodash@3"],
  ["lodash", "file:///src/one.js", "file:///src/own_lodash.js"],
  ["https://old.example/a.js", MAIN, "https://new.example/a.js"],
  ["./local.js", MAIN, "file:///src/elsewhere.js"],
  ["../src/local.js", "file:///lib/x.js", "file:///src/elsewhere.js"],
  ["@/a.js", MAIN, "file:///src/a.js"],
  ["nowhere", MAIN, null],
  ["unknown", MAIN, null],
  ["__proto__", MAIN, null],
  ["node:fs", MAIN, "node:fs"],
];

Deno.test("specifiers lead where HTML says, by an import map", () => {
  const resolve = resolveBy(MAP);
  for (const [specifier, parent, url] of CASES) {
    assert.equal(resolve(specifier, parent)?.href ?? null, url, `${specifier} from ${parent}`);
  }
});

Deno.test("without an import map only what is like a URL leads anywhere", () => {
  const resolve = resolveBy();
  assert.equal(resolve("./b.js", MAIN)?.href, "file:///src/b.js");
  assert.equal(resolve("lodash", MAIN), null);
});
