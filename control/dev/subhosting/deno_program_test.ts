import assert from "node:assert/strict";
import type { CliError } from "../../cli/cli_error.ts";
import { TempFolder } from "../../cli/snapshot/temp_folder_test.ts";
import { DenoProgram } from "./deno_program.ts";

async function start(source: string, lines: string[] = []) {
  using folder = new TempFolder({ "server.ts": source });
  const options = { net: ["127.0.0.1:0"], read: [folder.path], envNames: ["A"], env: { A: "1" } };
  return await DenoProgram.start(`${folder.path}/server.ts`, {
    ...options,
    print: (line) => lines.push(line),
  });
}

Deno.test("a program listens where it says, its other lines are told, and it ends with its owner", async () => {
  const lines: string[] = [];
  const program = await start(
    `
    console.error("starting");
    const onListen = ({ port }) => console.log("Server on http://127.0.0.1:" + port + "/v0/");
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, () => {
      console.log("asked on http://elsewhere/");
      return new Response(Deno.env.get("A"));
    });`,
    lines,
  );
  assert.match(program.url, /^http:\/\/127\.0\.0\.1:\d+\/v0\/$/);
  assert.equal(await (await fetch(program.url)).text(), "1");
  await program[Symbol.asyncDispose]();
  assert.deepEqual(lines.toSorted(), ["asked on http://elsewhere/", "starting"]);
  assert.equal((await program.ended).signal, "SIGTERM");
});

Deno.test("a program may do what it was allowed only, and one that ends before it listens does not start", async () => {
  const lines: string[] = [];
  await assert.rejects(
    start(`Deno.env.get("HOME")`, lines),
    (error: CliError) => error.message === 'Cannot start "server.ts": it ended',
  );
  assert.match(lines.join("\n"), /Requires env access to "HOME"/);
});
