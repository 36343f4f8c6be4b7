import assert from "node:assert/strict";
import { type EntrypointSources, findEntrypoint } from "./find_entrypoint.ts";

function find(paths: string[], rest: Partial<EntrypointSources> = {}): string {
  const found = findEntrypoint({
    wanted: undefined,
    config: { entrypoints: [] },
    paths: new Set(paths),
    indexHtml: undefined,
    ...rest,
  });
  return found.kind === "module" ? found.path : found.kind;
}

const DENO = { path: "app.ts", namedBy: "deploy.entrypoint of deno.json" };
const EXPORTS = { path: "mod.ts", namedBy: "exports of deno.jsonc" };
const PACKAGE = { path: "lib/app.js", namedBy: "main of package.json" };

Deno.test("the entry point is the most explicit one there is", () => {
  const paths = ["x.ts", "app.ts", "mod.ts", "main.ts", "lib/app.js"];
  const entrypoints = [DENO, EXPORTS, PACKAGE];
  assert.equal(
    find(paths, { wanted: { path: "./x.ts", namedBy: "--entrypoint" }, config: { entrypoints } }),
    "x.ts",
  );
  assert.equal(find(paths, { config: { entrypoints } }), "app.ts");
  assert.equal(find(paths, { config: { entrypoints: [EXPORTS, PACKAGE] } }), "mod.ts");
  assert.equal(find(paths, { config: { entrypoints: [PACKAGE] } }), "main.ts");
  assert.equal(find(["lib/app.js"], { config: { entrypoints: [PACKAGE] } }), "lib/app.js");
});

Deno.test("the usual names are tried in their order", () => {
  assert.equal(find(["main.js", "main.tsx", "server.ts"]), "main.tsx");
  assert.equal(find(["server.mjs", "index.ts"]), "server.mjs");
  assert.equal(find(["index.js", "src/main.ts"]), "index.js");
  assert.equal(find(["src/main.ts", "src/other.ts"]), "src/main.ts");
});

Deno.test("a script that index.html loads is not taken for the server", () => {
  const indexHtml = `<script type="module" src="./main.js?v=1"></script>`;
  assert.equal(find(["index.html", "main.js"], { indexHtml }), "static-site");
  assert.equal(find(["index.html", "main.js", "server.ts"], { indexHtml }), "server.ts");
  assert.equal(find(["index.html", "main.js"], { indexHtml: "<h1>main.js</h1>" }), "main.js");
});

Deno.test("pages without a program are a static site, code without an entry point is a mistake", () => {
  assert.equal(find(["index.html", "assets/app-1234.js"], { indexHtml: "" }), "static-site");
  assert.equal(find(["a.pdf", "b.pdf"]), "static-site");
  assert.throws(() => find(["app.ts"]), /Cannot find an entry point: .*--entrypoint/);
  assert.throws(() => find([]), /Cannot find an entry point/);
});

Deno.test("an entry point that is named must be deployed", () => {
  assert.throws(
    () => find(["main.ts"], { wanted: { path: "src/app.ts", namedBy: "--entrypoint" } }),
    /Cannot use entry point "src\/app.ts" \(--entrypoint\): it is not among the deployed files/,
  );
  assert.throws(
    () => find(["main.ts"], { config: { entrypoints: [DENO] } }),
    /deploy\.entrypoint of deno\.json/,
  );
});
