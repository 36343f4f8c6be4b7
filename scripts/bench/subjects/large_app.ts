import type { AppFiles } from "./isola_client.ts";

const MODULES = 2_000;
const MODULE_BYTES = 9_900;
/** As many as a folder may hold conveniently. */
const MODULES_PER_FOLDER = 50;

/**
 * An app whose module graph is 20 MB: 2,000 modules of 10 KB in 40 folders, all of it reachable, of which a request uses a
 * little, as is usual of large dependencies.
 */
export function largeApp(): AppFiles {
  const files: Record<string, string> = {};
  const folders = MODULES / MODULES_PER_FOLDER;
  for (let folder = 0; folder < folders; folder++) {
    const names = Array.from({ length: MODULES_PER_FOLDER }, (_, index) => `part${index}`);
    for (const name of names) files[`src/folder${folder}/${name}.js`] = moduleText(`${folder}/${name}`);
    files[`src/folder${folder}/mod.js`] = [
      ...names.map((name) => `import { operations as ${name} } from "./${name}.js";`),
      `export const parts = [${names.join(", ")}];\n`,
    ].join("\n");
  }
  const numbers = Array.from({ length: folders }, (_, folder) => folder);
  files["main.ts"] = [
    ...numbers.map((folder) => `import { parts as parts${folder} } from "./src/folder${folder}/mod.js";`),
    `const parts = [${numbers.map((folder) => `...parts${folder}`).join(", ")}];`,
    `Deno.serve(() => new Response(String(parts[parts.length - 1].operation0([1, 2, 3]))));\n`,
  ].join("\n");
  return files;
}

/** An object with methods, which no bundler can take apart. */
function moduleText(seed: string): string {
  const lines = ["export const operations = {"];
  let bytes = 0;
  for (let number = 0; bytes < MODULE_BYTES; number++) {
    const text = method(number, seed);
    bytes += text.length;
    lines.push(text);
  }
  return [...lines, "};\n"].join("\n");
}

function method(number: number, seed: string): string {
  return `  operation${number}(values, { limit = ${
    number + 10
  }, label = "${seed} operation ${number}" } = {}) {
    if (!Array.isArray(values)) throw new TypeError("Cannot run " + label + ": it needs a list");
    const totals = new Map();
    for (const [index, value] of values.slice(0, limit).entries()) {
      const weight = (index + ${number}) % 7 === 0 ? 0.5 : 1 / (1 + index);
      totals.set(value, (totals.get(value) ?? 0) + weight * ${number + 1});
    }
    return [...totals].sort(([, a], [, b]) => b - a).map(([value, total]) => value + ":" + total.toFixed(3)).join();
  },`;
}
