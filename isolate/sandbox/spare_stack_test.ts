import assert from "node:assert/strict";

const MODULE = import.meta.resolve("./spare_stack.ts");

Deno.test({
  name: "a stack holds less when what it once held is returned",
  ignore: Deno.build.os !== "linux",
}, async () => {
  const program = `
    import { returnSpareStack } from ${JSON.stringify(MODULE)};
    const stackKib = () => {
      const [, stack] = Deno.readTextFileSync("/proc/self/smaps").split("[stack]\\n");
      return Number(/^Private_Dirty: +(\\d+) kB$/m.exec(stack)[1]);
    };
    const deepen = (n) => n === 0 ? 0 : 1 + deepen(n - 1);
    deepen(5_000);
    const before = stackKib();
    returnSpareStack();
    const after = stackKib();
    console.log(JSON.stringify({ before, after, deep: deepen(5_000) }));
  `;
  const { stdout, code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", "--no-lock", `data:text/javascript,${encodeURIComponent(program)}`],
    stderr: "inherit",
  }).output();
  assert.equal(code, 0);
  const { before, after, deep } = JSON.parse(new TextDecoder().decode(stdout));
  assert.ok(after <= before - 200, `${after} KiB instead of ${before}`);
  assert.equal(deep, 5_000);
});
