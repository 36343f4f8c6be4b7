import assert from "node:assert/strict";
import { testDeps } from "../control_plane_test.ts";
import { runCli } from "../run_cli.ts";

async function script(shell: string): Promise<string> {
  const deps = testDeps();
  assert.equal(await runCli(["completions", shell], deps), 0, deps.stderr.text);
  return deps.stdout.text;
}

/** What bash offers for the last of the words. */
async function offered(bash: string, folder: string, ...words: string[]): Promise<string[]> {
  const line = `
    COMP_WORDS=(isola "$@")
    COMP_CWORD=$#
    _isola
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { success, stdout, stderr } = await new Deno.Command("bash", {
    args: ["--norc", "-c", bash + line, "bash", ...words],
    cwd: folder,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\n").filter((word) => word !== "").toSorted();
}

Deno.test("bash completes commands, their actions, options, and the values of options", async () => {
  const bash = await script("bash");
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/two words.ts`, "");
  const cases: [words: string[], offers: string[]][] = [
    [["pro"], ["projects", "promote"]],
    [["--url", "http://x", "rollb"], ["rollback"]],
    [["--org", "acme", "rollb"], ["rollback"]],
    [["projects", ""], ["create", "delete", "list", "update"]],
    [["--json", "projects", "cr"], ["create"]],
    [["projects", "create", ""], []],
    [["completions", ""], ["bash", "fish", "zsh"]],
    [["logs", "--fo"], ["--follow"]],
    [["logs", "-p", "x", "--pr"], ["--project"]],
    [["logs", "--project", ""], []],
    [["deploy", ""], ["two words.ts"]],
    [["deploy", "--env-file", "t"], ["two words.ts"]],
    [["deploy", "two words.ts", "--no-w"], ["--no-wait"]],
    [["frobnicate", ""], []],
  ];
  try {
    for (const [words, offers] of cases) {
      assert.deepEqual(await offered(bash, folder, ...words), offers, words.join(" "));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("each shell is told of every command, action and option", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const text = await script(shell);
    for (const word of ["deployments", "promote", "create", "follow", "env-file", "take-over"]) {
      assert.ok(text.includes(word), `${word} for ${shell}`);
    }
  }
  assert.match(await script("zsh"), /\{-p,--project\}'\[project [^']*\]:value: '/);
  assert.match(await script("fish"), /from deploy' -l env-file -r -F -d /);
});

Deno.test("a shell that is not known is refused with those that are", async () => {
  const deps = testDeps();
  assert.equal(await runCli(["completions", "csh"], deps), 2);
  assert.equal(deps.stderr.text, 'error: Cannot complete for shell "csh": known are bash, zsh, fish\n');
});
