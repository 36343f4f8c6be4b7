import assert from "node:assert/strict";
import { join } from "node:path";
import { DevCommand } from "./dev_command.ts";
import { until } from "./server.ts";

const VERSION = (text: string) => `Deno.serve(() => new Response(${JSON.stringify(text)}));\n`;
const MAX_SAVE_TO_ANSWER_MS = 5000; // Well under a second on a quiet machine.

/** `isola dev` of a folder with a module. */
class Dev extends DevCommand {
  constructor(main: string) {
    super((folder) => Deno.writeTextFileSync(join(folder, "main.ts"), main));
  }

  save(name: string, text: string): void {
    Deno.writeTextFileSync(join(this.folder, name), text);
  }

  /** What the printed URL answers; "" as long as none is printed. */
  async answer(): Promise<string> {
    const [url] = /^http:\/\/[a-z0-9-]+\.localhost:\d+$/m.exec(this.process.output) ?? [];
    return url === undefined ? "" : await this.answerOf(url);
  }

  async answers(text: string): Promise<void> {
    await until(
      `it answers "${text}"`,
      async () => await this.answer() === text,
      30_000,
      () => this.process.output,
    );
  }
}

Deno.test("dev serves a folder, and each save is the next answer", async () => {
  await using dev = new Dev(VERSION("one"));
  await dev.answers("one");
  for (const text of ["two", "three"]) {
    const savedAt = performance.now();
    dev.save("main.ts", VERSION(text));
    await dev.answers(text);
    const tookMs = performance.now() - savedAt;
    assert(tookMs < MAX_SAVE_TO_ANSWER_MS, `${tookMs}ms from save to answer`);
  }
  dev.save("text.txt", "from a file");
  dev.save(
    "main.ts",
    `const text = Deno.readTextFileSync("text.txt");\n${VERSION("x").replace('"x"', "text")}`,
  );
  await dev.answers("from a file");
  dev.save("text.txt", "changed");
  await dev.answers("changed");
  assert.equal((await dev.process.kill("SIGINT")).code, 0);
});

Deno.test("a save that does not build is shown with its position, and the version before goes on serving", async () => {
  await using dev = new Dev(VERSION("good"));
  await dev.answers("good");
  dev.save("main.ts", "const broken = ;\n");
  await dev.shows(/main\.ts:1:16/);
  assert.equal(await dev.answer(), "good");
  dev.save("main.ts", "// no server\n\nthrow new Error('at start');\n");
  await dev.shows(/at start[^]*main\.ts:3:7/);
  assert.equal(await dev.answer(), "good");
  dev.save("main.ts", VERSION("better"));
  await dev.answers("better");
});

Deno.test("the app's log and its errors are shown with the positions of its own files", async () => {
  await using dev = new Dev(`
interface Unused { a: number }
Deno.serve((request) => {
  console.log("asked for", new URL(request.url).pathname);
  throw new Error("on purpose");
});
`);
  await until("it is up", async () => await dev.answer() !== "", 30_000, () => dev.process.output);
  await dev.shows(/asked for \//);
  await dev.shows(/Error: on purpose\n.*main\.ts:5:9/);
});
