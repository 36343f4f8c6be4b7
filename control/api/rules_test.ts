import assert from "node:assert/strict";
import { AssetTree } from "./deployments/asset_tree.ts";
import { checkSizes } from "./deployments/assets.ts";
import { isHostname, netTarget } from "./names.ts";
import { projectName, randomProjectName } from "./projects/project_name.ts";
import { sourcePath } from "./deployments/source_path.ts";
import { variableProblem } from "./projects/variables.ts";

const tree = (files: string[], links: Record<string, string> = {}) =>
  new AssetTree(new Set(files), new Map(Object.entries(links)));

Deno.test("paths of a deployment are relative, normalized and of bounded length", () => {
  for (
    const path of [
      "main.ts",
      "a/b/c",
      ".hidden",
      "...",
      "a/.isola/b",
      "with space/ü",
      "x".repeat(255),
      "new\nline",
      "constructor",
    ]
  ) assert.ok(tree([path]).isFile(path), path);
  for (
    const path of [
      "",
      "/a",
      "a//b",
      "a/",
      "./a",
      "a/./b",
      "..",
      "../a",
      "a/../b",
      "a\\b",
      "a\0b",
      "\ud800",
      ".isola/main.js",
      ".ISOLA",
      "__proto__",
      "x".repeat(256),
      "ü".repeat(128),
      "a/".repeat(2047) + "xx",
    ]
  ) assert.throws(() => tree([path]), { code: "badRequest" }, JSON.stringify(path.slice(0, 20)));
});

Deno.test("a path is a file or a directory", () => {
  assert.throws(() => tree(["a", "a/b"]), /"a": it is a file or link and a directory at once/);
  assert.throws(() => tree(["a/b/c"], { "a/b": "../x" }), /"a\/b"/);
  assert.ok(tree(["a/b", "a/c", "ab"]).isFile("a/c"));
});

Deno.test("links lead to places inside the deployment, however they get there", () => {
  for (
    const links of [
      { l: "main.ts" },
      { "a/l": "../main.ts" },
      { l: "./dir/./x.ts" },
      { l: "dir", m: "l/x.ts" },
      { l: "dir/", "dir/m": "../l/x.ts" },
      { l: "not/there" },
      { "a/up": ".." },
    ] as Record<string, string>[]
  ) tree(["main.ts", "dir/x.ts"], links);
  for (
    const links of [
      { l: "" },
      { l: "/etc/passwd" },
      { l: "../x" },
      { l: "dir/../../x" },
      { l: "a\0" },
      { l: "./".repeat(2048) },
      // By its text it stays inside; by the way that the kernel goes it does not.
      { "a/b/l": "../../dir", m: "a/b/l/../../x" },
      { l: "l" },
      { l: "m", m: "l" },
      { "a/l": "../a/l/x" },
    ] as Record<string, string>[]
  ) assert.throws(() => tree(["main.ts", "dir/x.ts"], links), { code: "badRequest" }, JSON.stringify(links));
  assert.ok(tree(["dir/x.ts"], { l: "dir", m: "l/x.ts" }).isFile("m"));
  assert.ok(!tree(["dir/x.ts"], { l: "dir" }).isFile("l"));
  assert.ok(!tree(["dir/x.ts"]).isFile("dir/../dir/x.ts"));
});

Deno.test("what looking at the paths of a deployment takes is bounded, however links go round", () => {
  const links = (depth: number) => {
    const around = "x/".repeat(depth) + "../".repeat(depth);
    const hops = Array.from({ length: 39 }, (_, at) => [`l${at}`, `${around}l${at + 1}`]);
    const entries = Array.from({ length: 300 }, (_, at) => [`m${at}`, "l1"]);
    return Object.fromEntries([...hops, ["l39", "f"], ...entries]);
  };
  const began = performance.now();
  assert.throws(
    () => tree(["f"], links(1000)),
    /Cannot take asset "l0": its target is longer than 4095 bytes/,
  );
  assert.throws(
    () => tree(["f"], links(800)),
    /the links of the deployment lead through too many or too long paths/,
  );
  assert.throws(() => tree(["f"], { a: "b/".repeat(200_000) }), /"a": its target is longer than 4095 bytes/);
  assert.throws(
    () => tree(Array.from({ length: 100 }, (_, at) => `${at}/${"a/".repeat(2000)}b`)),
    /Cannot take more than 40000 directories in one deployment/,
  );
  assert.ok(performance.now() - began < 5000);
});

Deno.test("code and files are bounded apart", () => {
  const MiB = 2 ** 20;
  checkSizes([["a.ts", 20 * MiB], ["video.mp4", 900 * MiB], ["data.json", 30 * MiB]]);
  assert.throws(() => checkSizes([["a.ts", 10 * MiB], ["b.wasm", 11 * MiB]]), /bytes of code/);
  assert.throws(() => checkSizes([["a.bin", 1024 * MiB], ["b", 1]]), /bytes of files/);
});

Deno.test("entry points are named in the ways that clients do", () => {
  const isFile = (path: string) => ["main.ts", "src/main.ts", "a b.ts"].includes(path);
  const read = (url: string) => sourcePath("entryPointUrl", url, isFile);
  assert.equal(read("main.ts"), "main.ts");
  assert.equal(read("./main.ts"), "main.ts");
  assert.equal(read("/main.ts"), "main.ts");
  assert.equal(read("src/main.ts"), "src/main.ts");
  assert.equal(read("file:///src/main.ts"), "main.ts");
  assert.equal(read("file:///src/src/main.ts"), "src/main.ts");
  assert.equal(read("file:///main.ts"), "main.ts");
  assert.equal(read("file:///src/a%20b.ts"), "a b.ts");
  for (const url of ["", "other.ts", "https://x/main.ts", "file:///src/%zz", "file:///etc/passwd"]) {
    assert.throws(() => read(url), { code: "badRequest" }, url);
  }
});

Deno.test("project names are those that a hostname can begin with", () => {
  const accepts = (name: string) => projectName.safeParse(name).success;
  for (const name of ["abc", "a-b", "1-2", "a".repeat(26), "x-abcdefghijk", "abcdefghijkl"]) {
    assert.ok(accepts(name), name);
  }
  for (
    const name of [
      "",
      "ab",
      "a".repeat(27),
      "-abc",
      "abc-",
      "Abc",
      "a_b",
      "a.b",
      "ä-bc",
      "x-abcdefghijkl",
      "a--b",
    ]
  ) assert.ok(!accepts(name), name);
  for (let count = 0; count < 1000; count++) {
    const name = randomProjectName();
    assert.ok(accepts(name), name);
  }
});

Deno.test("variables that would steer the runtime are refused", () => {
  for (const name of ["A", "_", "a1_B", "DENO", "MY_DENO_DIR", "PROXY", "LD", "x".repeat(128)]) {
    assert.equal(variableProblem(name, "v"), null, name);
  }
  for (
    const name of [
      "",
      "1A",
      "A-B",
      "A B",
      "DENO_DIR",
      "deno_dir",
      "LD_PRELOAD",
      "OTEL_DENO",
      "ISOLA_PROJECT",
      "NODE_OPTIONS",
      "NODE_EXTRA_CA_CERTS",
      "HTTP_PROXY",
      "https_proxy",
      "__proto__",
      "x".repeat(129),
    ]
  ) assert.ok(variableProblem(name, "v"), name);
  for (const value of [1, null, {}, "a\0b", "\ud800", "x".repeat(16_385), "ü".repeat(8193)]) {
    assert.ok(variableProblem("A", value), String(value).slice(0, 10));
  }
  assert.equal(variableProblem("A", "ü".repeat(8192)), null);
});

Deno.test("hostnames and net targets are read strictly", () => {
  for (const name of ["a.b", "xn--mnchen-3ya.example", "1.example", "a-b.c-d.example", "1.2.3.4a"]) {
    assert.ok(isHostname(name), name);
  }
  for (
    const name of ["a", "a..b", ".a.b", "a.b.", "-a.b", "a-.b", "a_b.c", "1.2.3.4", "A.b", "a.b:80", "*.a.b"]
  ) {
    assert.ok(!isHostname(name), name);
  }
  const accepts = (target: string) => netTarget.safeParse(target).success;
  for (
    const target of [
      "*",
      "a.example",
      "A.Example",
      "*.a.example",
      "a.example:443",
      "*.a.example:1",
      "1.2.3.4",
      "1.2.3.4:80",
      "[::1]",
      "[2001:db8::1]:443",
      "localhost",
      "db:5432",
    ]
  ) assert.ok(accepts(target), target);
  for (
    const target of [
      "",
      "a.*.example",
      "*a.example",
      "**.a",
      "a.example:",
      "a.example:0",
      "a.example:65536",
      "https://a.example",
      "a.example/x",
      "*.1.2.3.4",
      "1.2.3.999",
      "::1",
      "[::zz]",
      "*.[::1]",
      "*.com:x",
    ]
  ) assert.ok(!accepts(target), target);
});
