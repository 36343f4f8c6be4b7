import assert from "node:assert/strict";
import { join } from "node:path";
import { LoggedProcess } from "./logged_process.ts";
import { ISOLA, until } from "./server.ts";

const VERSION = (text: string) => `Deno.serve(() => new Response(${JSON.stringify(text)}));\n`;
const MAX_SAVE_TO_ANSWER_MS = 5000; // Well under a second on a quiet machine.

/** `isola dev` of a folder, with state of its own. */
class Dev implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "isola-dev-" });
  readonly #state = Deno.makeTempDirSync({ prefix: "isola-dev-state-" });
  readonly #client = Deno.createHttpClient({ allowHost: true });
  readonly process: LoggedProcess;

  constructor(main: string) {
    this.save("main.ts", main);
    const flags = ["--http-addr", "127.0.0.1:0", "--control-addr", "127.0.0.1:0", "--warm-pool", "1"];
    this.process = new LoggedProcess([...ISOLA, "dev", this.folder, ...flags], {
      env: { XDG_STATE_HOME: this.#state },
    });
  }

  save(name: string, text: string): void {
    Deno.writeTextFileSync(join(this.folder, name), text);
  }

  /** What the printed URL answers; "" as long as none is printed. */
  async answer(): Promise<string> {
    const [, host, port] = /^http:\/\/([a-z0-9-]+\.localhost):(\d+)$/m.exec(this.process.output) ?? [];
    if (host === undefined) return "";
    const response = await fetch(`http://127.0.0.1:${port}/`, { client: this.#client, headers: { host } });
    return await response.text();
  }

  async answers(text: string): Promise<void> {
    await until(
      `it answers "${text}"`,
      async () => await this.answer() === text,
      30_000,
      () => this.process.output,
    );
  }

  async shows(pattern: RegExp): Promise<void> {
    await until(
      `it shows ${pattern}`,
      () => pattern.test(this.process.output),
      30_000,
      () => this.process.output,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
    this.#client.close();
    for (const dir of [this.folder, this.#state]) Deno.removeSync(dir, { recursive: true });
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
