import assert from "node:assert/strict";
import { Keyboard, testDeps } from "./control_plane_test.ts";
import { confirm, type InputStream, readAll, readHidden } from "./prompt.ts";
import { Terminal } from "./terminal.ts";

function asking(stdin: InputStream, signal?: AbortSignal) {
  const deps = testDeps({ stdin, ...(signal ? { signal } : {}) });
  return { deps, terminal: new Terminal(deps) };
}

/** A standard input whose parts come one by one. */
function inParts(...parts: string[]): InputStream {
  const bytes = parts.map((part) => new TextEncoder().encode(part));
  return {
    read(into) {
      const next = bytes.shift();
      if (next !== undefined) into.set(next);
      return Promise.resolve(next?.length ?? null);
    },
    isTerminal: () => true,
    setRaw() {},
  };
}

Deno.test("only a yes is one", async () => {
  for (const yes of ["y", "Y", " yes ", "YES"]) await confirm(asking(new Keyboard([yes], true)), "Go on?");
  for (const no of ["", "n", "no", "yeah", "ja"]) {
    await assert.rejects(confirm(asking(new Keyboard([no], true)), "Go on?"), { code: "interrupted" });
  }
  await assert.rejects(confirm(asking(new Keyboard([], true)), "Go on?"), { code: "interrupted" });
});

Deno.test("where nobody is, nobody is asked", async () => {
  const it = asking(new Keyboard(["n"], false));
  await confirm(it, "Go on?");
  assert.equal(it.deps.stderr.text, "");
});

Deno.test("what is typed key by key is one value", async () => {
  const value = await readHidden(asking(inParts("s", "ec", "x", "\x7f", "ret", "\r")), "Value: ");
  assert.equal(value, "secret");
});

Deno.test("input has a bound, and nobody waits for it once the command is interrupted", async () => {
  const endless = { ...inParts(), read: (into: Uint8Array) => Promise.resolve(into.fill(97).length) };
  await assert.rejects(readAll(asking(endless)), {
    message: "Cannot read standard input: it is longer than 1048576 bytes",
  });
  const silent = { ...inParts(), read: () => new Promise<never>(() => {}) };
  const interruption = new AbortController();
  const answered = confirm(asking(silent, interruption.signal), "Go on?");
  interruption.abort();
  await assert.rejects(answered, { code: "interrupted", message: "Interrupted" });
});
