import { META } from "./esbuild_plugin.ts";

/** The folder of the deployment, from where the bundle stands. */
const ROOT = `const __isola_root = new URL("../", import.meta.url).href;`;

/** `import.meta` of a module by its own path, as Deno makes it. */
const META_OF = `const ${META}_of = (name, main) => {
  const { href: url, protocol, pathname } = new URL(name, __isola_root);
  const resolve = (to) => /^\\.{0,2}\\//.test(to) ? new URL(to, url).href : import.meta.resolve(to);
  const meta = { __proto__: null, url, main, resolve };
  if (protocol !== "file:") return meta;
  const filename = decodeURIComponent(pathname);
  return Object.assign(meta, { filename, dirname: filename.slice(0, filename.lastIndexOf("/")) || "/" });
};`;

const FILE = `const __isola_file = (name) => decodeURIComponent(new URL(name, __isola_root).pathname);`;

/** esbuild's `__require` calls a global \`require\` where there is one. */
const REQUIRE = `import { createRequire as __isola_create_require } from "node:module";
const require = __isola_create_require(import.meta.url);`;

/**
 * What the bundle needs before its first line, and nothing else: loading `node:module` takes a cold start milliseconds.
 *
 * @param requires `require` of each file that calls it with computed names, by the file's path
 */
export function preludeFor(body: string, requires: ReadonlyMap<string, string>): string {
  const parts: string[] = [];
  const usesMeta = body.includes(`${META}_of(`);
  const usesFile = body.includes("__isola_file(");
  if (/\b__require\b/.test(body)) parts.push(REQUIRE);
  if (usesMeta || usesFile || requires.size > 0) parts.push(ROOT);
  if (usesMeta) parts.push(META_OF);
  if (usesFile) parts.push(FILE);
  for (const [file, name] of requires) {
    parts.push(
      `const ${name} = __isola_create_require(new URL(${JSON.stringify(encodeURI(file))}, __isola_root));`,
    );
  }
  return parts.map((part) => part + "\n").join("");
}
