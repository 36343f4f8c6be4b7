/**
 * The house rules as a Deno lint plugin (`lint.plugins` in deno.json): who may import whom, the one door of each
 * outside thing, and a JSDoc comment on every export. It refuses to judge style that `deno fmt` and the built-in rules cover.
 */
import { documentedExports } from "./documented_exports.ts";
import { doors } from "./doors.ts";
import { layers } from "./layers.ts";

/** Loaded by `deno lint` and by editors; rules are named `isola/…` in diagnostics and in `deno-lint-ignore`. */
const plugin: Deno.lint.Plugin = {
  name: "isola",
  rules: { layers, doors, "documented-exports": documentedExports },
};

export default plugin;
