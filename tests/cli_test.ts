import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { LoggedProcess } from "./logged_process.ts";
import { ISOLA, serverForTests, until } from "./server.ts";

const suite = serverForTests();

interface CliResult {
  code: number;
  out: string;
  err: string;
}

/** A home without credentials, and the server by the environment, as the line that it prints at start says. */
function environment(): Record<string, string> {
  const { server } = suite;
  return {
    ISOLA_URL: server.controlUrl,
    ISOLA_TOKEN: server.token,
    XDG_CONFIG_HOME: "/nonexistent",
    NO_COLOR: "1",
  };
}

async function isola(
  args: string[],
  { env = {}, cwd }: { env?: Record<string, string>; cwd?: string } = {},
): Promise<CliResult> {
  const [path, ...rest] = ISOLA;
  const { code, stdout, stderr } = await new Deno.Command(path, {
    args: [...rest, ...args],
    env: { ...environment(), ...env },
    cwd,
    stdin: "null",
  }).output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

/** As {@linkcode isola} with `--json`; fails the test unless it exits with 0. */
// deno-lint-ignore no-explicit-any -- what the command prints, to be compared
async function json(...args: string[]): Promise<any> {
  const { code, out, err } = await isola([...args, "--json"]);
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

/** A temporary folder with these files. */
class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "isola-test-" });

  constructor(files: Record<string, string>) {
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  write(name: string, text: string): void {
    Deno.mkdirSync(dirname(join(this.path, name)), { recursive: true });
    Deno.writeTextFileSync(join(this.path, name), text);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Serves its own files by name, so that what was uploaded can be asked for. */
const FILES_APP = `export default {
  async fetch(request) {
    const name = new URL(request.url).pathname.slice(1);
    if (name === "") return new Response(Deno.env.get("GREETING") ?? "hello");
    return new Response(await Deno.readTextFile(name).catch(() => "not here"));
  },
};
`;

Deno.test("a folder is deployed with what it should have, and a second time without uploading anything", async () => {
  const { server } = suite;
  using folder = new Folder({
    "main.ts": FILES_APP,
    "deno.json": JSON.stringify({ deploy: { exclude: ["notes", "*.draft.md"] } }),
    ".gitignore": "*.log\n/build/\n!keep.log\n",
    "debug.log": "no",
    "keep.log": "yes",
    "build/out.js": "no",
    "notes/todo.md": "no",
    "post.draft.md": "no",
    "data/a.txt": "yes",
    "sub/.gitignore": "secret.txt\n",
    "sub/secret.txt": "no",
    "sub/open.txt": "yes",
    ".env": "TOKEN=no",
    "node_modules/x/index.js": "no",
    ".git/HEAD": "no",
  });
  const first = await isola(["deploy", folder.path, "--project", "by-cli", "--env", "GREETING=from the CLI"]);
  assert.equal(first.code, 0, first.err);
  const url = new RegExp(
    `^http://by-cli\\.localhost:${server.httpPort}\nhttp://by-cli-[a-z0-9]{12}\\.localhost:\\d+\n$`,
  );
  assert.match(first.out, url);
  assert.equal(await server.text("by-cli"), "from the CLI");
  for (const name of ["keep.log", "data/a.txt", "sub/open.txt"]) {
    assert.equal(await server.text("by-cli", `/${name}`), "yes", name);
  }
  for (
    const name of [
      "debug.log",
      "build/out.js",
      "notes/todo.md",
      "post.draft.md",
      "sub/secret.txt",
      ".env",
      "node_modules/x/index.js",
      ".git/HEAD",
    ]
  ) {
    assert.equal(await server.text("by-cli", `/${name}`), "not here", name);
    assert(!first.err.includes(`\n  ${name}`), `${name} was uploaded`);
  }

  const second = await isola(["deploy", "--project", "by-cli"], { cwd: folder.path });
  assert.equal(second.code, 0, second.err);
  const [, known, all] = /(\d+) of (\d+) files already on the server/.exec(second.err)!;
  assert.equal(known, all);
  assert.match(second.out, /^http:\/\/by-cli-[a-z0-9]{12}\./);
});

Deno.test("the bundled examples and a folder of pages are deployed by one command each", async () => {
  const { server } = suite;
  const examples = new URL("../examples/", import.meta.url).pathname;
  using pages = new Folder({
    "index.html": "<h1>home</h1>",
    "about/index.html": "<h1>about</h1>",
    "style.css": "h1 {}",
  });
  const results = await Promise.all([
    isola(["deploy", join(examples, "hono"), "-p", "example-hono"]),
    isola(["deploy", join(examples, "chat"), "-p", "example-chat"]),
    isola(["deploy", pages.path, "-p", "pages"]),
  ]);
  for (const { code, err } of results) assert.equal(code, 0, err);
  assert.match(await server.text("example-hono"), /<html/);
  assert.equal(JSON.parse(await server.text("example-hono", "/api/hello/Ada")).message, "Hello, Ada!");
  assert.match(await server.text("example-chat"), /<html/);
  assert.equal(await server.text("pages"), "<h1>home</h1>");
  assert.equal(await server.text("pages", "/about/"), "<h1>about</h1>");
  const css = await server.fetch("pages", "/style.css");
  assert.match(css.headers.get("content-type")!, /^text\/css/);
  assert.equal(await css.text(), "h1 {}");
  const missing = await server.fetch("pages", "/missing");
  assert.equal(missing.status, 404);
  await missing.body?.cancel();
});

Deno.test("projects, deployments, promote, rollback and status say and do what the API does", async () => {
  const { server } = suite;
  const version = (text: string) => ({
    "main.ts": `Deno.serve(() => new Response(${JSON.stringify(text)}));`,
  });
  using one = new Folder(version("one"));
  using two = new Folder(version("two"));
  const first = await json("deploy", one.path, "-p", "managed");
  const second = await json("deploy", two.path, "-p", "managed");
  assert.equal(first.deployment.status, "success");
  assert.deepEqual(first.urls[0], `http://managed.localhost:${server.httpPort}`);
  assert(((await json("projects")) as { name: string }[]).some(({ name }) => name === "managed"));
  const listed: { id: string; production: boolean }[] = await json("deployments", "--project", "managed");
  assert.deepEqual(listed.map(({ id, production }) => [id, production]), [
    [second.deployment.id, false],
    [first.deployment.id, true],
  ]);
  assert.equal(await server.text("managed"), "one");
  await json("promote", second.deployment.id);
  assert.equal(await server.text("managed"), "two");
  await json("rollback", "--project", "managed");
  assert.equal(await server.text("managed"), "one");
  using three = new Folder(version("three"));
  await json("deploy", three.path, "-p", "managed", "--production");
  assert.equal(await server.text("managed"), "three");

  const { server: health, isolates } = await json("status");
  assert.equal(health.status, "ok");
  assert(isolates.some((one: { deploymentId: string }) => one.deploymentId === first.deployment.id));
  const table = await isola(["status"]);
  assert.match(table.out, new RegExp(`\n${first.deployment.id} +ready +\\d+ `));
  await json("projects", "delete", "managed");
  assert.match(await server.text("managed"), /DEPLOYMENT_NOT_FOUND/);
});

Deno.test("logs -f goes on until it is interrupted", async () => {
  const { server } = suite;
  await server.deploy(
    "talks",
    "Deno.serve((r) => { console.warn(new URL(r.url).pathname); return new Response(); });",
  );
  await server.text("talks", "/before");
  const command = [...ISOLA, "logs", "-f", "--project", "talks"];
  await using logs = new LoggedProcess(command, { env: environment() });
  await until("it shows past lines", () => logs.output.includes("/before"));
  for (const path of ["/one", "/two"]) {
    await server.text("talks", path);
    await until("it shows new lines", () => logs.output.includes(path));
  }
  assert.equal((await logs.kill("SIGINT")).code, 0, logs.output);
  assert.deepEqual(logs.output.match(/\/(before|one|two)/g), ["/before", "/one", "/two"]);
});

Deno.test("scripts learn from the exit code what went wrong, and from --json why", async () => {
  using folder = new Folder({ "main.ts": "throw new Error('no start');" });
  const cases: [args: string[], env: Record<string, string>, code: number, message: RegExp][] = [
    [["deploy", folder.path, "-p", "failing"], {}, 1, /Build of deployment "[a-z0-9]{12}" failed/],
    [["promote", "000000000000"], {}, 1, /000000000000/],
    [["logs", "-p", "nosuchproject"], {}, 1, /nosuchproject/],
    [["depoly", folder.path], {}, 2, /did you mean "deploy"/],
    [["deploy", folder.path, "--projct", "x"], {}, 2, /--projct/],
    [["deploy", folder.path], {}, 2, /--project/],
    [["status"], { ISOLA_URL: "http://127.0.0.1:9" }, 3, /127\.0\.0\.1:9/],
    [["projects"], { ISOLA_TOKEN: "wrong" }, 4, /./],
  ];
  await Promise.all(cases.map(async ([args, env, code, message]) => {
    const result = await isola([...args, "--json"], { env });
    assert.equal(result.code, code, `${args.join(" ")}: ${result.err}`);
    assert.match(JSON.parse(result.out).error.message, message);
    assert.match(result.err, /error: /);
    assert(!/\n {4}at /.test(result.err), result.err);
  }));
});

Deno.test("a build that fails shows the line of the mistake", async () => {
  using folder = new Folder({ "main.ts": "const a = 1;\nconst b = ;\n" });
  const { code, err } = await isola(["deploy", folder.path, "-p", "mistaken"]);
  assert.equal(code, 1);
  assert.match(err, /main\.ts:2:11/);
});

Deno.test("every command has its help", async () => {
  const overview = await isola(["--help"]);
  assert.equal(overview.code, 0);
  const names = [
    "serve",
    "dev",
    "deploy",
    "projects",
    "deployments",
    "promote",
    "rollback",
    "logs",
    "status",
  ];
  for (const name of names) assert.match(overview.out, new RegExp(`\\b${name}\\b`));
  await Promise.all(names.map(async (name) => {
    const { code, out, err } = await isola([name, "--help"]);
    assert.equal(code, 0, err);
    assert(out.includes(`isola ${name}`), out);
  }));
});
