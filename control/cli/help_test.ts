import assert from "node:assert/strict";
import { optionsOf } from "./command.ts";
import { Recorder, testDeps } from "./control_plane_test.ts";
import { loadCommands, runCli } from "./run_cli.ts";

async function print(...args: string[]): Promise<string> {
  const deps = testDeps();
  assert.equal(await runCli(args, deps), 0);
  assert.equal(deps.stderr.text, "");
  return deps.stdout.text;
}

Deno.test("the overview names every command and every exit code", async () => {
  const text = await print("--help");
  assert.equal(await print(), text);
  assert.equal(await print("help"), text);
  for (const { name, summary } of await loadCommands()) {
    assert.match(text, new RegExp(`^  ${name} +${summary}`, "m"));
  }
  for (const code of [0, 1, 2, 3, 4, 130]) assert.match(text, new RegExp(`^  ${code} `, "m"));
});

Deno.test("the help of each command names each of its options, and shows an example", async () => {
  for (const command of await loadCommands()) {
    const text = await print(command.name, "--help");
    assert.equal(await print("help", command.name), text);
    assert.equal(await print(command.name, "-h"), text);
    for (const [name, { help }] of Object.entries(optionsOf(command))) {
      const words = text.replaceAll(/\s+/g, " ");
      assert(words.includes(`--${name}`) && words.includes(help), `${command.name} --${name}`);
    }
    assert.match(text, /\nUsage: isola /);
    assert.match(text, /\nExamples:\n {2}/);
    for (const line of text.split("\n")) assert(line.length <= 120, line);
  }
});

Deno.test("help is broken between words where the terminal ends", async () => {
  const deps = { ...testDeps({ env: { COLUMNS: "80" } }), stdout: new Recorder(true) };
  assert.equal(await runCli(["deploy", "--help"], deps), 0);
  const [prose = ""] = deps.stdout.text.split("\nExamples:");
  for (const line of prose.split("\n")) assert(line.length <= 80, line);
});

Deno.test("--version prints the version alone", async () => {
  assert.equal(await print("--version"), "0.0.0-test\n");
});
