import assert from "node:assert/strict";
import { Trial } from "../testing/trial.ts";

const SERVE = `Deno.serve(() => new Response("alive"));`;

/** What the program's lines look like, until it says that it is done. */
async function printed(source: string): Promise<[string, string][]> {
  await using trial = await Trial.serve(`${source}\nconsole.log("done");\n${SERVE}`);
  await trial.logged("done");
  return trial.logs.slice(0, -1).map(({ level, message }) => [level, message]);
}

Deno.test("each console method has its level", async () => {
  assert.deepEqual(
    await printed(`
      console.debug("debug"); console.log("log"); console.info("info"); console.warn("warn"); console.error("error");
      console.assert(false, "assert"); console.assert(true, "nothing");
    `),
    [
      ["debug", "debug"],
      ["info", "log"],
      ["info", "info"],
      ["warning", "warn"],
      ["error", "error"],
      ["error", "Assertion failed: assert"],
    ],
  );
});

Deno.test("console prints what deno run prints, without colours", async () => {
  const source = `
    console.log("%s is %d years and %i, %o %c styled", "A", 42.5, 42.9, { a: 1 }, "color: red");
    console.log({ a: [1, { b: new Map([["k", new Set([1])]]) }] }, undefined, null, 1n, Symbol("s"));
    console.log(new Error("e").message, [class A {}, function f() {}, new Date(0), /x/g, new Uint8Array(3)]);
    console.log("a\\nb");
    console.log();
    console.log("grüße 🦕");
    console.group("outer"); console.log("in\\nside"); console.groupEnd(); console.log("out");
    console.count(); console.count(); console.countReset(); console.count();
    console.table([{ a: 1, b: 2 }]);
    console.dir({ deep: { er: { still: {} } } }, { depth: 1 });
  `.replaceAll("\\\\", "\\");
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", source],
    env: { NO_COLOR: "1" },
  }).output();
  const lines = (await printed(source)).map(([, message]) => message);
  assert.equal(lines.join("\n") + "\n", new TextDecoder().decode(stdout));
});

Deno.test("a trace and a logged error show the program's own frames and nothing of the machine", async () => {
  await using trial = await Trial.serve(`
    function load() { console.trace("here"); console.error(new Error("failed")); }
    load();
    console.log(import.meta.url, Deno.cwd());
    ${SERVE}
  `);
  const { message: trace } = await trial.logged("here");
  assert.match(trace, /at load \(file:\/\/\/app\/main\.js:2:31\)/);
  const { message: error } = await trial.logged("failed");
  assert.match(
    error,
    /^Error: failed\n {4}at load \(file:\/\/\/app\/main\.js:2:60\)\n {4}at file:\/\/\/app\/main\.js:3:5$/,
  );
  await trial.logged("file:///app/main.js /app");
  assert.doesNotMatch(JSON.stringify(trial.logs), /isola-|ext:|guest\.js/);
});

Deno.test("what a program writes to its standard output and error is logged by lines", async () => {
  await using trial = await Trial.serve(`
    import process from "node:process";
    process.stdout.write("by node\\n");
    Deno.stdout.writeSync(new TextEncoder().encode("in two "));
    Deno.stdout.writeSync(new TextEncoder().encode("parts\\n"));
    Deno.stderr.writeSync(new TextEncoder().encode("to stderr\\n"));
    ${SERVE}
  `);
  assert.equal((await trial.logged("by node")).level, "info");
  assert.equal((await trial.logged("in two parts")).level, "info");
  assert.equal((await trial.logged("to stderr")).level, "error");
});

Deno.test("a flood of console lines is cut to a thousand a second, and the rest is counted", async () => {
  await using trial = await Trial.serve(`
    Deno.serve(async () => {
      for (let i = 0; i < 100_000; i++) console.log("line " + i);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      console.log("after");
      return new Response("done");
    });
  `);
  assert.equal(await trial.text(), "done");
  await trial.logged("log lines dropped");
  await trial.logged("after");
  const dropped = trial.logs.flatMap(({ message }) => /^(\d+) log lines dropped/.exec(message)?.[1] ?? []);
  const kept = trial.logs.filter(({ message }) => message.startsWith("line ")).length;
  assert.equal(kept + dropped.map(Number).reduce((sum, count) => sum + count, 0), 100_000);
  assert.ok(kept <= 5_000, `${kept} kept`);
});

Deno.test("a line of ten megabytes is cut, however it was printed", async () => {
  await using trial = await Trial.serve(`
    Deno.serve(() => {
      console.log("console " + "x".repeat(10_000_000));
      const bytes = new TextEncoder().encode("stdout " + "y".repeat(10_000_000) + "\\nnext\\n");
      for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
      return new Response("alive");
    });
  `);
  assert.equal(await trial.text(), "alive");
  await trial.logged("next");
  for (const start of ["console xxx", "stdout yyy"]) {
    const { message } = await trial.logged(start);
    assert.equal(new TextEncoder().encode(message).length, 2048);
    assert.match(message, /… \[trimmed\]$/);
  }
  assert.equal(await trial.text(), "alive");
});

const UNCAUGHT = {
  "an error thrown in a timer": [
    `setTimeout(() => { throw new Error("lost") });`,
    /^Uncaught Error: lost\n {4}at .*\/app\/main\.js:3:/,
  ],
  "a rejection": [
    `setTimeout(() => void Promise.reject(new Error("lost")));`,
    /^Uncaught \(in promise\) Error: lost\n {4}at .*\/app\/main\.js:3:/,
  ],
  "a value that is no error": [`setTimeout(() => { throw "lost" });`, /^Uncaught "lost"/],
  "a rejection without a value": [
    `setTimeout(() => void Promise.reject());`,
    /^Uncaught \(in promise\) undefined/,
  ],
  "a reported error": [`setTimeout(() => reportError(new Error("lost")));`, /^Uncaught Error: lost/],
} as const;

for (const [name, [source, expected]] of Object.entries(UNCAUGHT)) {
  Deno.test(`${name} that nobody catches is logged with its position and ends the program`, async () => {
    await using trial = await Trial.serve(`
    ${SERVE}
${source}
    `);
    const { reason, detail } = await trial.sandbox.ended;
    assert.equal(reason, "exited");
    assert.match(detail, /Uncaught/);
    const { level, message } = await trial.logged("Uncaught");
    assert.equal(level, "error");
    assert.match(message, expected);
  });
}

const HANDLED = {
  "an error event":
    `addEventListener("error", (event) => { event.preventDefault(); console.log("seen", event.error.message) });
    setTimeout(() => { throw new Error("lost") });`,
  "a rejection event": `addEventListener("unhandledrejection", (event) => {
      event.preventDefault(); console.log("seen", event.reason.message) });
    setTimeout(() => void Promise.reject(new Error("lost")));`,
  "onerror": `globalThis.onerror = () => { console.log("seen lost"); return true; };
    setTimeout(() => { throw new Error("lost") });`,
  "process.on of exceptions": `import process from "node:process";
    process.on("uncaughtException", (error) => console.log("seen", error.message));
    setTimeout(() => { throw new Error("lost") });`,
  "process.on of rejections": `import process from "node:process";
    process.on("unhandledRejection", (error) => console.log("seen", error.message));
    setTimeout(() => void Promise.reject(new Error("lost")));`,
};

for (const [name, source] of Object.entries(HANDLED)) {
  Deno.test(`a program that handles its uncaught errors by ${name} lives on`, async () => {
    await using trial = await Trial.serve(`${source}\n${SERVE}`);
    await trial.logged("seen lost");
    assert.equal(await trial.text(), "alive");
    assert.doesNotMatch(JSON.stringify(trial.logs), /Uncaught/);
  });
}

Deno.test("a listener that only looks does not keep the program from ending", async () => {
  await using trial = await Trial.serve(`
    addEventListener("unhandledrejection", ({ reason }) => console.log("seen", reason.message));
    ${SERVE}
    setTimeout(() => void Promise.reject(new Error("lost")));
  `);
  assert.equal((await trial.sandbox.ended).reason, "exited");
  await trial.logged("seen lost");
});
