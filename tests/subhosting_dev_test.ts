import assert from "node:assert/strict";
import { join } from "node:path";
import { LoggedProcess } from "./logged_process.ts";
import { commandLines } from "./processes.ts";
import { ISOLA, until } from "./server.ts";

const EXAMPLE = new URL("../examples/subhosting", import.meta.url).pathname;

/** `isola dev --subhosting` of a copy of the example, with state of its own. */
class Dev implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "isola-dev-" });
  readonly #state = Deno.makeTempDirSync({ prefix: "isola-dev-state-" });
  readonly #client = Deno.createHttpClient({ allowHost: true });
  readonly process: LoggedProcess;

  constructor() {
    new Deno.Command("cp", { args: ["-r", `${EXAMPLE}/.`, this.folder] }).outputSync();
    const addresses = ["--http-addr", "--control-addr", "--relay-addr"].flatMap((
      flag,
    ) => [flag, "127.0.0.1:0"]);
    const command = [...ISOLA, "dev", "--subhosting", this.folder, ...addresses, "--warm-pool", "1"];
    this.process = new LoggedProcess(command, { env: { XDG_STATE_HOME: this.#state } });
  }

  /** What the printed URL of a hostname answers. */
  async answer(name: string, path: string): Promise<string> {
    const [, host, port] = new RegExp(`^http://(${name}\\.localhost):(\\d+)/$`, "m").exec(
      this.process.output,
    )!;
    const url = `http://127.0.0.1:${port}${path}`;
    const response = await fetch(url, { client: this.#client, headers: { host: host! } });
    return await response.text();
  }

  async shows(pattern: RegExp): Promise<void> {
    const isShown = () => pattern.test(this.process.output);
    const what = `it shows ${pattern}`;
    await until(what, () => isShown() || !this.process.isRunning, 30_000, () => this.process.output);
    assert(isShown(), this.process.output);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
    this.#client.close();
    for (const dir of [this.folder, this.#state]) Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("dev --subhosting serves relay, server and origin; what is saved is another deployment; all of them end", async () => {
  await using dev = new Dev();
  await dev.shows(/^http:\/\/hello\.localhost:\d+\/$/m);
  const first = JSON.parse(await dev.answer("hello", "/facts"));
  assert.equal(first.greeting, "Hello");
  assert.match(first.deployment, /^hello-1@[0-9a-f]{12}$/);
  assert.match(await dev.answer("hello", "/"), /Hello through a relay/);
  assert.match(await dev.answer("chat", "/"), /Chat through a relay/);
  const folder = join(dev.folder, "deployments", "hello-1");
  Deno.writeTextFileSync(join(folder, "config.json"), '{ "envs": { "GREETING": "Welcome" } }');
  await dev.shows(/Saved → hello\.localhost is hello-1@/);
  const second = JSON.parse(await dev.answer("hello", "/facts"));
  assert.equal(second.greeting, "Welcome");
  assert.notEqual(second.deployment, first.deployment);
  Deno.writeTextFileSync(join(folder, "files", "index.html"), "changed");
  await until("the page is another", async () => await dev.answer("hello", "/") === "changed");
  await dev.shows(/^origin {2}\S+ hello-1@\w+ log: info GET \/facts$/m);
  Deno.writeTextFileSync(join(dev.folder, "hostnames.json"), "{");
  await dev.shows(/^error: Cannot read ".*hostnames\.json": /m);
  assert.equal((await dev.process.kill("SIGINT")).code, 0);
  assert.deepEqual(commandLines().filter((line) => line.includes(dev.folder)), []);
});
