import assert from "node:assert/strict";
import { serverForTests, type TestFiles, until } from "./server.ts";

const suite = serverForTests();

interface Line {
  time: string;
  level: string;
  message: string;
  region: string;
}

/** Deploys a program that runs `handler` at each request, asks it once, and waits until its log has `enough`. */
async function logOf(host: string, handler: string, enough: (lines: Line[]) => boolean): Promise<Line[]> {
  const { server } = suite;
  const { id } = await server.deploy(
    host,
    `Deno.serve(async (request) => { ${handler}; return new Response("ok"); });`,
  );
  assert.equal(await server.text(host), "ok");
  let lines: Line[] = [];
  await until(
    "the log has it",
    async () => {
      lines = await server.appLogs(id);
      return enough(lines);
    },
    10_000,
    () => JSON.stringify(lines, null, 1),
  );
  return lines;
}

Deno.test("each line of the console has its level, time and region, in order", async () => {
  const startedAt = Date.now();
  const lines = await logOf(
    "levels",
    `console.debug("one", 1, { a: [true] }); console.log("two %s", "x"); console.info("three");
     console.warn("four"); console.error("five"); console.log(""); console.log("multi\\nline\\ntext")`,
    (lines) => lines.length >= 7,
  );
  assert.deepEqual(lines.map(({ level, message }) => [level, message]), [
    ["debug", "one 1 { a: [ true ] }"],
    ["info", "two x"],
    ["info", "three"],
    ["warning", "four"],
    ["error", "five"],
    ["info", ""],
    ["info", "multi\nline\ntext"],
  ]);
  let last = startedAt;
  for (const { time, region } of lines) {
    assert.equal(region, "local");
    assert(Date.parse(time) >= last && Date.parse(time) <= Date.now(), time);
    last = Date.parse(time);
  }
});

Deno.test("a thousand lines keep their order", async () => {
  const lines = await logOf(
    "ordered",
    `for (let i = 0; i < 900; i++) console.log("line", i)`,
    (lines) => lines.length >= 900,
  );
  lines.forEach(({ message }, i) => assert.equal(message, `line ${i}`));
});

Deno.test("what is written to standard output and error is logged, too", async () => {
  const lines = await logOf(
    "stdio",
    `const process = (await import("node:process")).default;
     process.stdout.write("to stdout\\n"); process.stderr.write("to stderr\\n")`,
    (lines) => lines.length >= 2,
  );
  assert(
    lines.some(({ level, message }) => level === "info" && message === "to stdout"),
    JSON.stringify(lines),
  );
  assert(
    lines.some(({ level, message }) => level === "error" && message === "to stderr"),
    JSON.stringify(lines),
  );
});

Deno.test("a line is cut at 2 KiB, never inside a character", async () => {
  const lines = await logOf(
    "long",
    `console.log("a".repeat(2048)); console.log("b".repeat(2049)); console.log("ü".repeat(100_000));
     console.log("🦕".repeat(100_000))`,
    (lines) => lines.length >= 4,
  );
  const bytes = (text: string) => new TextEncoder().encode(text).length;
  assert.equal(lines[0]!.message, "a".repeat(2048));
  for (const { message } of lines.slice(1)) {
    assert(bytes(message) <= 2048 && bytes(message) > 2000, `${bytes(message)} bytes`);
    assert(!message.includes("\ufffd"));
    assert.match(message, /trimmed/);
  }
});

Deno.test("past 1000 lines a second the rest is dropped, and one line says how many", async () => {
  const counted = (lines: Line[]) => {
    const dropped = lines.map(({ message }) => Number(/^(\d+) log lines dropped/.exec(message)?.[1] ?? 0));
    return dropped.reduce((sum, count) => sum + count, lines.filter(({ level }) => level === "info").length);
  };
  const lines = await logOf(
    "flood",
    `for (let i = 0; i < 20_000; i++) console.log("line", i)`,
    (lines) => counted(lines) === 20_000,
  );
  assert(lines.length >= 1000 && lines.length <= 4000, `${lines.length} lines`);
});

Deno.test("a live log shows each line as it comes, to each of its readers", async () => {
  const { server } = suite;
  const { id } = await server.deploy(
    "live",
    `Deno.serve((request) => { console.log(new URL(request.url).pathname); return new Response(); });`,
  );
  const follow = async () => {
    const controller = new AbortController();
    const response = await fetch(`${server.controlUrl}/v1/deployments/${id}/app_logs`, {
      headers: { authorization: `Bearer ${server.token}`, accept: "application/x-ndjson" },
      signal: controller.signal,
    });
    assert.match(response.headers.get("content-type")!, /^application\/x-ndjson/);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    return {
      async next(): Promise<Line> {
        while (!text.includes("\n")) text += (await reader.read()).value;
        const line = text.slice(0, text.indexOf("\n"));
        text = text.slice(line.length + 1);
        return line === "" ? await this.next() : JSON.parse(line);
      },
      async stop() {
        controller.abort();
        await reader.read().catch(() => {});
      },
    };
  };
  const readers = [await follow(), await follow()];
  for (const path of ["/first", "/second", "/third"]) {
    await server.text("live", path);
    for (const reader of readers) assert.equal((await reader.next()).message, path);
  }
  for (const reader of readers) await reader.stop();
  await server.text("live", "/after");
});

Deno.test("past lines are filtered by time, level and text", async () => {
  const { server } = suite;
  const lines = await logOf(
    "filtered",
    `console.log("an apple"); console.warn("a pear"); console.error("another apple")`,
    (lines) => lines.length === 3,
  );
  const { deploymentId } = (await server.isolates()).at(-1)!;
  const query = (search: string) =>
    server.api<Line[]>(
      "GET",
      `/v1/deployments/${deploymentId}/app_logs?since=2000-01-01T00:00:00Z&${search}`,
    );
  assert.deepEqual((await query("q=apple&order=asc")).map(({ message }) => message), [
    "an apple",
    "another apple",
  ]);
  assert.deepEqual((await query("level=warning")).map(({ message }) => message), ["a pear"]);
  assert.deepEqual(
    await query(`until=${encodeURIComponent(new Date(Date.parse(lines[0]!.time) - 1000).toISOString())}`),
    [],
  );
});

const THROWING: TestFiles = {
  "main.ts": `import { type Reason, explode } from "./src/explode.ts";

interface Unused {
  here: boolean;
}

const reason: Reason = { text: "boom" };
Deno.serve((request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/logged") {
    try {
      explode(reason);
    } catch (error) {
      console.error(error);
    }
  } else setTimeout(() => explode(reason));
  return new Response("ok");
});
`,
  "src/explode.ts": `/** Lines that are gone after compilation. */
export interface Reason {
  text: string;
}

export function explode(reason: Reason): never {
  const unused: number = 1;
  throw new Error(reason.text + unused);
}
`,
};

for (const path of ["/logged", "/uncaught"]) {
  Deno.test(`an error that is ${path.slice(1)} shows the positions of the app's own TypeScript`, async () => {
    const { server } = suite;
    const host = `throws${path.slice(1)}`;
    const { id } = await server.deploy(host, THROWING);
    assert.equal(await server.text(host, path), "ok");
    const errors = async () => (await server.appLogs(id)).filter(({ level }) => level === "error");
    await until("it is logged", async () => (await errors()).length > 0);
    const [{ message } = { message: "" }] = await errors();
    assert.match(message, /Error: boom1\n/);
    assert.match(message, /at explode \(file:\/\/\/app\/src\/explode\.ts:8:9\)/);
    assert.match(message, /main\.ts:(12:7|16:27)/);
    assert(!message.includes(server.dataDir), message);
    assert(!/ext:|boot\//.test(message), message);
  });
}

const BROKEN: Record<string, { files: TestFiles; says: RegExp[] }> = {
  "a syntax error": {
    files: { "main.ts": `const a = 1;\nconst b = ;\nDeno.serve(() => new Response());` },
    says: [/main\.ts:2:11/, /Expression expected|Unexpected/],
  },
  "an import that is not there": {
    files: { "main.ts": `import "./lib/missing.ts";\nDeno.serve(() => new Response());` },
    says: [/main\.ts:1:8/, /lib\/missing\.ts/],
  },
  "a package that is not there": {
    files: { "main.ts": `import "npm:@isola-test/does-not-exist@1";\nDeno.serve(() => new Response());` },
    says: [/@isola-test\/does-not-exist/],
  },
  "an error at the top level": {
    files: {
      "main.ts": `import "./config.ts";\nDeno.serve(() => new Response());`,
      "config.ts": `type A = 1;\n\nthrow new Error("no config");`,
    },
    says: [/no config/, /config\.ts:3:7/],
  },
  "an entry point that is not there": {
    files: { "other.ts": `Deno.serve(() => new Response());` },
    says: [/main\.ts/],
  },
};

for (const [name, { files, says }] of Object.entries(BROKEN)) {
  Deno.test(`the log of a build that fails by ${name} says where and why`, async () => {
    const { server } = suite;
    const created = await server.call("POST", `/v1/projects/${await server.project("broken")}/deployments`, {
      entryPointUrl: "main.ts",
      assets: Object.fromEntries(
        Object.entries(files).map(([path, content]) => [path, { kind: "file", content, encoding: "utf-8" }]),
      ),
      envVars: {},
    });
    const body = await created.json();
    if (created.status === 400) return says.forEach((pattern) => assert.match(body.message, pattern));
    assert.equal((await server.built(body.id)).status, "failed");
    const text = (await server.buildLog(body.id)).filter(({ level }) => level === "error")
      .map(({ message }) => message).join("\n");
    for (const pattern of says) assert.match(text, pattern);
    assert(!text.includes(server.dataDir), text);
  });
}
