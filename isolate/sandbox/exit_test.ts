import assert from "node:assert/strict";
import { Trial } from "../testing/trial.ts";

const WAYS_OUT = {
  "Deno.exit": `Deno.exit(3)`,
  "process.exit": `process.exit(3)`,
  "process.exit of the global": `globalThis.process.exit(3)`,
  "Deno.exit with an exit code set before": `Deno.exitCode = 3, Deno.exit()`,
};

for (const [name, source] of Object.entries(WAYS_OUT)) {
  Deno.test(`a program that leaves by ${name} has ended, with its code`, async () => {
    await using trial = await Trial.serve(`
      import process from "node:process";
      Deno.serve(() => { setTimeout(() => { ${source} }, 10); return new Response("bye"); });
    `);
    assert.equal(await trial.text(), "bye");
    const { reason, detail } = await trial.sandbox.ended;
    assert.equal(reason, "exited");
    assert.match(detail, /The program exited with code 3$/);
  });
}

Deno.test("a program that closes itself has ended", async () => {
  await using trial = await Trial.serve(`
    Deno.serve(() => { setTimeout(() => self.close(), 10); return new Response("bye"); });
  `);
  assert.equal(await trial.text(), "bye");
  assert.equal((await trial.sandbox.ended).reason, "exited");
});

Deno.test("a program that exits while it starts does not start", async () => {
  await using trial = await Trial.start();
  await assert.rejects(trial.assign(`console.log("leaving"); Deno.exit(4);`), {
    code: "exited",
    message: /The program exited with code 4/,
  });
  await trial.logged("leaving");
});

Deno.test("what is printed just before the exit is logged", async () => {
  await using trial = await Trial.serve(`
    Deno.serve(() => { console.log("last words"); Deno.exit(0); });
  `);
  await assert.rejects(trial.fetch());
  assert.equal((await trial.sandbox.ended).reason, "exited");
  await trial.logged("last words");
});
