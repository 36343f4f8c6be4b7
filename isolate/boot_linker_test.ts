import assert from "node:assert/strict";
import { linkModules } from "./boot_linker.ts";

const MODULES = {
  main: `
    import { name as left } from "./left.ts";
    import { label, Right } from "./right.ts";
    import { order } from "../order.ts";
    order.push("main");
    await null;
    globalThis.linked = { left, right: new Right().name, label, order };`,
  left: `
    import { order } from "./order.ts";
    order.push("left");
    export const name = "left";`,
  right: `
    import process from "node:process";
    import { order } from "./order.ts";
    const name = typeof process.pid;
    order.push("right");
    /** Its name. */
    export class Right {
      name = name; // Not another's.
    }
    export async function* unused() {}
    export const label = "two  spaces";`,
  order: `
    export const order = [];`,
};

/** As `deno fmt` has them, at the start of their lines. */
const sources = new Map(
  Object.entries(MODULES).map(([name, code]) => [name, code.replaceAll(/^ {4}/gm, "")]),
);

Deno.test("linked modules run once each, after those that they import, each in a scope of its own", async () => {
  const scope = globalThis as { linked?: unknown };
  const program = linkModules("main", sources);
  assert.ok(!program.includes("Its name"));
  await import(`data:text/javascript,${encodeURIComponent(program)}`);
  assert.deepEqual(scope.linked, {
    left: "left",
    right: "number",
    label: "two  spaces",
    order: ["left", "right", "main"],
  });
  delete scope.linked;
});

Deno.test("what the linker does not know is refused", () => {
  const linked = (main: string) => () => linkModules("main", new Map([["main", main]]));
  assert.throws(
    linked(`import { a } from "./missing.ts";`),
    /Cannot link "main": there is no module "missing"/,
  );
  assert.throws(linked(`import * as all from "./x.ts";`), /Cannot link "main": it says "import \* as all/);
  assert.throws(linked(`export const a = 1;`), /Cannot link "main": it says "export const a/);
});
