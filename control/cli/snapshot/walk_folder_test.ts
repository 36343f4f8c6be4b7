import assert from "node:assert/strict";
import { CliError } from "../cli_error.ts";
import type { FolderConfig } from "../../snapshot/folder_config.ts";
import { TempFolder } from "./temp_folder_test.ts";
import { walkFolder } from "./walk_folder.ts";

const NOTHING: Pick<FolderConfig, "include" | "exclude"> = { include: [], exclude: [] };

function pathsOf(folder: TempFolder, config: Partial<typeof NOTHING> = {}): string[] {
  return walkFolder(folder.path, { ...NOTHING, ...config }).files.map(({ path }) => path);
}

Deno.test("a folder is walked in a fixed order, without what never belongs to a deployment", () => {
  using folder = new TempFolder({
    "main.ts": "",
    "b/2.txt": "",
    "b/1.txt": "",
    ".well-known/security.txt": "",
    ".git/config": "",
    "node_modules/x/index.js": "",
    "packages/a/node_modules/x/index.js": "",
    ".isola/isola.db": "",
    ".DS_Store": "",
    ".main.ts.swp": "",
    "main.ts~": "",
  });
  assert.deepEqual(pathsOf(folder), [".well-known/security.txt", "b/1.txt", "b/2.txt", "main.ts"]);
});

Deno.test("files of variables are left out, and said to be", () => {
  using folder = new TempFolder({ ".env": "A=1", "config/.env.local": "", ".envrc.ts": "" });
  const { files, leftOut } = walkFolder(folder.path, NOTHING);
  assert.deepEqual(files.map(({ path }) => path), [".envrc.ts"]);
  assert.deepEqual(leftOut.map(({ path }) => path), [".env", "config/.env.local"]);
});

Deno.test("the nearest .gitignore decides, and what is in an ignored folder stays ignored", () => {
  using folder = new TempFolder({
    ".gitignore": "*.log\n/dist\n!keep.log\nDocs/\n",
    "a.log": "",
    "keep.log": "",
    "dist/index.js": "",
    "sub/dist/index.js": "",
    "docs/readme.md": "",
    "sub/.gitignore": "!a.log\n*.tmp\n",
    "sub/a.log": "",
    "sub/b.log": "",
    "sub/deep/x.tmp": "",
    "x.tmp": "",
  });
  assert.deepEqual(pathsOf(folder), [
    ".gitignore",
    "docs/readme.md",
    "keep.log",
    "sub/.gitignore",
    "sub/a.log",
    "sub/dist/index.js",
    "x.tmp",
  ]);
});

Deno.test("a .gitignore above the folder does not count: a build output can be deployed", () => {
  using folder = new TempFolder({ ".gitignore": "dist\n", "dist/index.html": "" });
  assert.deepEqual(walkFolder(`${folder.path}/dist`, NOTHING).files.map(({ path }) => path), ["index.html"]);
});

Deno.test("deploy.exclude and deploy.include are globs from the folder's root", () => {
  using folder = new TempFolder({
    "a.ts": "",
    "a_test.ts": "",
    "tests/b.ts": "",
    "src/tests/c.ts": "",
    "src/d_test.ts": "",
  });
  const cases: [Partial<typeof NOTHING>, string[]][] = [
    [{ exclude: ["tests"] }, ["a.ts", "a_test.ts", "src/d_test.ts", "src/tests/c.ts"]],
    [{ exclude: ["./tests/", "*_test.ts"] }, ["a.ts", "src/d_test.ts", "src/tests/c.ts"]],
    [{ exclude: ["**/*_test.ts", "**/tests"] }, ["a.ts"]],
    [{ include: ["src", "a.ts"] }, ["a.ts", "src/d_test.ts", "src/tests/c.ts"]],
    [{ include: ["src/**/*.ts"], exclude: ["src/tests"] }, ["src/d_test.ts"]],
  ];
  for (const [config, paths] of cases) {
    assert.deepEqual(pathsOf(folder, config), paths, JSON.stringify(config));
  }
});

Deno.test("links inside the folder stay links, relative to where they are", () => {
  using folder = new TempFolder({
    "data/a.txt": "",
    "data/same": { link: "a.txt" },
    "data/up": { link: "../data/./a.txt" },
    "folder": { link: "data" },
    "through": { link: "folder/a.txt" },
    "gone": { link: "missing.txt" },
    "to-ignored": { link: "node_modules/x" },
  });
  folder.write("absolute", { link: `${folder.path}/data/a.txt` });
  const { links, leftOut, files } = walkFolder(folder.path, NOTHING);
  assert.deepEqual(Object.fromEntries(links), {
    "absolute": "data/a.txt",
    "data/same": "a.txt",
    "data/up": "a.txt",
    "folder": "data",
    "through": "folder/a.txt",
  });
  assert.deepEqual(leftOut.map(({ path }) => path), ["gone", "to-ignored"]);
  assert.deepEqual(files.map(({ path }) => path), ["data/a.txt"]);
});

Deno.test("a link out of the folder is refused by name", () => {
  for (const target of ["../secret", "/etc/passwd", "a/../../x", ".."]) {
    using folder = new TempFolder({ "a/b.txt": "", "leak": { link: target } });
    assert.throws(
      () => walkFolder(folder.path, NOTHING),
      new CliError("failed", `Cannot deploy link "leak": its target "${target}" is outside of the folder`),
    );
  }
});

Deno.test("more files than a deployment may have are refused before they are read", () => {
  using folder = new TempFolder();
  for (let index = 0; index <= 10_000; index++) Deno.writeTextFileSync(`${folder.path}/${index}`, "");
  assert.throws(
    () => walkFolder(folder.path, NOTHING),
    /more than 10000 files\. Name what is not needed in \.gitignore/,
  );
});
