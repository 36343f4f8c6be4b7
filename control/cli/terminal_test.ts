import assert from "node:assert/strict";
import { Recorder } from "./control_plane_test.ts";
import { printable, Terminal } from "./terminal.ts";

function terminal(isTerminal: boolean, env: Record<string, string> = {}) {
  const stdout = new Recorder(isTerminal);
  const stderr = new Recorder(isTerminal);
  return { stdout, stderr, terminal: new Terminal({ stdout, stderr, env }) };
}

Deno.test("results go to standard output, the rest to standard error", () => {
  const { stdout, stderr, terminal: it } = terminal(false);
  it.print("result", "red");
  it.note("note", "dim");
  it.progress("Uploading", 1, 2);
  assert.deepEqual([stdout.text, stderr.text], ["result\n", "note\n"]);
});

Deno.test("colour is for terminals, unless NO_COLOR is set", () => {
  const coloured = terminal(true);
  coloured.terminal.print("result", "red");
  assert.equal(coloured.stdout.text, "\x1b[31mresult\x1b[0m\n");
  const plain = terminal(true, { NO_COLOR: "1" });
  plain.terminal.print("result", "red");
  assert.equal(plain.stdout.text, "result\n");
});

Deno.test("a table is as wide as the terminal at most, and whole for programs", () => {
  const [header, rows] = [["NAME", "ID"], [["shop", "d03e6285-d475"], ["b", "1"]]];
  const narrow = terminal(true, { COLUMNS: "12" });
  narrow.terminal.printTable(header, rows);
  assert.equal(narrow.stdout.text, "NAME  ID\nshop  d03e6…\nb     1\n");
  const piped = terminal(false, { COLUMNS: "12" });
  piped.terminal.printTable(header, rows);
  assert.equal(piped.stdout.text, "NAME  ID\nshop  d03e6285-d475\nb     1\n");
});

Deno.test("a progress bar is drawn on one line, and gone before the next one", () => {
  const { stderr, terminal: it } = terminal(true, { NO_COLOR: "1" });
  it.progress("Uploading", 1, 4);
  it.note("done");
  assert.equal(stderr.text, `\r\x1b[KUploading ${"█".repeat(6)}${"░".repeat(18)} 25%\r\x1b[Kdone\n`);
});

Deno.test("what goes on is shown with its time while somebody watches, and a line goes before it", async () => {
  const { stderr, terminal: it } = terminal(true, { NO_COLOR: "1" });
  {
    using _ = it.working("Building");
    it.note("Bundled");
    // deno-lint-ignore no-control-regex -- what clears the line is one
    await stderr.until(/Bundled\n\r\x1b\[KBuilding \d+ ms/);
  }
  assert.ok(stderr.text.startsWith("\r\x1b[KBuilding 0 ms\r\x1b[KBundled\n"), stderr.text);
  assert.ok(stderr.text.endsWith("\r\x1b[K"));
  const pipe = terminal(false);
  pipe.terminal.working("Building")[Symbol.dispose]();
  assert.equal(pipe.stderr.text, "");
});

Deno.test("text of others keeps its colours and loses what would drive the terminal", () => {
  const cases: [string, string][] = [
    ["plain\ttext\nline", "plain\ttext\nline"],
    ["\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"],
    ["\x1b[2J\x1b[Hcleared", "[2J[Hcleared"],
    ["\x1b]0;title\x07", "]0;title"],
    ["over\rwritten\b\x9b2J", "overwritten2J"],
  ];
  for (const [text, shown] of cases) assert.equal(printable(text), shown);
});
