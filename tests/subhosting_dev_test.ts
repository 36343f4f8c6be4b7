import assert from "node:assert/strict";
import { join } from "node:path";
import { DevCommand } from "./dev_command.ts";
import { commandLines } from "./processes.ts";
import { until } from "./server.ts";

const EXAMPLE = new URL("../examples/subhosting", import.meta.url).pathname;

/** `isola dev --subhosting` of a copy of the example. */
class Dev extends DevCommand {
  constructor() {
    const copy = (folder: string) => {
      new Deno.Command("cp", { args: ["-r", `${EXAMPLE}/.`, folder] }).outputSync();
    };
    super(copy, ["--subhosting", "--relay-addr", "127.0.0.1:0"]);
  }

  /** What the printed URL of a hostname answers. */
  async answer(name: string, path: string): Promise<string> {
    const [url] = new RegExp(`^http://${name}\\.localhost:\\d+/$`, "m").exec(this.process.output)!;
    return await this.answerOf(new URL(path, url).href);
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
