import assert from "node:assert/strict";
import { join } from "node:path";
import { LoggedProcess } from "./logged_process.ts";
import { appSource, ISOLA, startTestServer, until } from "./server.ts";

/** A `serve` that should not start: how it ended, and what it said. */
async function refused(
  { env = {}, yaml, args = [] }: { env?: Record<string, string>; yaml?: string; args?: string[] },
): Promise<{ code: number; output: string }> {
  const dir = await Deno.makeTempDir({ prefix: "isola-test-" });
  if (yaml !== undefined) await Deno.writeTextFile(join(dir, "isola.yaml"), yaml);
  await using process = new LoggedProcess([...ISOLA, "serve", ...args], {
    env: { ISOLA_HTTP_ADDR: "127.0.0.1:0", ISOLA_CONTROL_ADDR: "127.0.0.1:0", ...env },
    cwd: dir,
  });
  await until("it ends", () => !process.isRunning, 30_000, () => process.output);
  const { code } = await process.kill("SIGTERM");
  const left = [...Deno.readDirSync(dir)].map(({ name }) => name).filter((name) => name !== "isola.yaml");
  assert.deepEqual(left, [], "nothing was made");
  await Deno.remove(dir, { recursive: true });
  return { code, output: process.output };
}

Deno.test("a wrong value or an unknown name is refused with its name, its value, and what is allowed", async () => {
  const cases: [Parameters<typeof refused>[0], RegExp[]][] = [
    [{ env: { ISOLA_IDLE_TIMEOUT_MS: "soon" } }, [/ISOLA_IDLE_TIMEOUT_MS "soon"/, /86400000/]],
    [{ env: { ISOLA_IDLE_TIMEOUT_MS: "-1" } }, [/ISOLA_IDLE_TIMEOUT_MS "-1"/]],
    [{ env: { ISOLA_HTTP_ADDR: "localhost" } }, [/ISOLA_HTTP_ADDR "localhost"/]],
    [{ env: { ISOLA_HTTP_ADDR: "127.0.0.1:65536" } }, [/ISOLA_HTTP_ADDR "127\.0\.0\.1:65536"/]],
    [{ env: { ISOLA_BASE_DOMAIN: "not a domain" } }, [/ISOLA_BASE_DOMAIN "not a domain"/]],
    [{ env: { ISOLA_RUNNERS: "0" } }, [/ISOLA_RUNNERS "0"/]],
    [{ env: { ISOLA_MAX_ISOLATES: "many" } }, [/ISOLA_MAX_ISOLATES "many"/]],
    [{ env: { ISOLA_SANDBOX: "maybe" } }, [/ISOLA_SANDBOX "maybe"/, /auto/]],
    [{ env: { ISOLA_IDLE_TIMEOUT: "1" } }, [/ISOLA_IDLE_TIMEOUT\b/, /ISOLA_IDLE_TIMEOUT_MS/]],
    [{ yaml: "idleTimeoutMS: 1\n" }, [/idleTimeoutMS/, /idleTimeoutMs/]],
    [{ yaml: "limits: { memoryMB: 1 }\n" }, [/memoryMB/]],
    [{ yaml: "limits: { memoryMb: lots }\n" }, [/limits\.memoryMb/, /lots/]],
    [{ yaml: "httpAddr: [\n" }, [/isola\.yaml/]],
    [{ args: ["--config", "nowhere.yaml"] }, [/nowhere\.yaml/]],
    [{ args: ["--idle-timeout-ms", "x"] }, [/--idle-timeout-ms "x"/]],
    [{ args: ["--idle-timout-ms", "1"] }, [/--idle-timout-ms/]],
  ];
  // A few at a time: each is a process.
  for (let at = 0; at < cases.length; at += 4) {
    await Promise.all(
      cases.slice(at, at + 4).map(async ([given, patterns]) => {
        const { code, output } = await refused(given);
        assert.equal(code, 2, output);
        for (const pattern of patterns) assert.match(output, pattern);
        assert(!/\n {4}at /.test(output), output);
      }),
    );
  }
});

Deno.test("every problem is told at once, and a secret is never shown", async () => {
  const { output } = await refused({
    env: { ISOLA_ADMIN_TOKEN: "not a token!", ISOLA_RUNNERS: "x", ISOLA_REGION: "Ä" },
  });
  for (const name of ["ISOLA_ADMIN_TOKEN", "ISOLA_RUNNERS", "ISOLA_REGION"]) {
    assert.match(output, new RegExp(name));
  }
  assert(!output.includes("not a token"), output);
});

Deno.test("an address in use ends the start with its name", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dir = await Deno.makeTempDir({ prefix: "isola-test-" });
  for (const name of ["ISOLA_HTTP_ADDR", "ISOLA_CONTROL_ADDR"]) {
    const address = `127.0.0.1:${listener.addr.port}`;
    await using process = new LoggedProcess([...ISOLA, "serve"], {
      env: {
        ISOLA_DATA_DIR: dir,
        ISOLA_HTTP_ADDR: "127.0.0.1:0",
        ISOLA_CONTROL_ADDR: "127.0.0.1:0",
        [name]: address,
      },
    });
    await until(`${name} is refused`, () => !process.isRunning, 30_000, () => process.output);
    assert.equal((await process.kill("SIGTERM")).code, 1);
    assert.match(process.output, new RegExp(address), name);
  }
  await Deno.remove(dir, { recursive: true });
});

Deno.test("isola.yaml, the environment and flags are read, each stronger than the one before", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-test-" });
  const config = join(dir, "isola.yaml");
  await Deno.writeTextFile(
    config,
    "baseDomain: apps.example\nregion: from-yaml\nwarmPool: 0\nlimits: { maxConcurrency: 3 }\n",
  );
  await using server = await startTestServer({
    env: { ISOLA_CONFIG: config, ISOLA_REGION: "from-env" },
    args: ["--region", "from-flag"],
  });
  await server.deploy(
    "configured",
    `export default { fetch: () => new Response(Deno.env.get("DENO_REGION")) };`,
  );
  assert.equal(await server.text("configured.apps.example"), "from-flag");
  assert.match(await server.text("configured.localhost"), /DEPLOYMENT_NOT_FOUND/);
  const health = await (await fetch(`${server.controlUrl}/healthz`)).json();
  assert.deepEqual([health.status, health.region], ["ok", "from-flag"]);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a generated token is printed once, works, and is kept only as a hash", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "isola-test-" });
  const env = { ISOLA_ADMIN_TOKEN: "" };
  let token: string;
  {
    await using server = await startTestServer({ dataDir, env });
    const found = server.output.match(/token\s+(\S{20,})/);
    assert(found, server.output);
    token = found[1]!;
    assert.equal(await status(server.controlUrl, token), 200);
    assert.equal(await status(server.controlUrl, token + "x"), 401);
    assert.equal(server.output.split(token).length, 2, "printed once");
  }
  for await (const entry of Deno.readDir(dataDir)) {
    if (!entry.isFile) continue;
    const bytes = new TextDecoder("latin1").decode(await Deno.readFile(join(dataDir, entry.name)));
    assert(!bytes.includes(token), entry.name);
  }
  {
    await using server = await startTestServer({ dataDir, env });
    assert.doesNotMatch(server.output, /token\s+\S{20,}/);
    assert.equal(await status(server.controlUrl, token), 200);
  }
  await Deno.remove(dataDir, { recursive: true });
});

async function status(controlUrl: string, token: string): Promise<number> {
  const response = await fetch(`${controlUrl}/v1/organizations`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await response.body?.cancel();
  return response.status;
}

Deno.test("two runners share the port, and an isolate that both use", async () => {
  await using server = await startTestServer({
    env: { ISOLA_RUNNERS: "2", ISOLA_IDLE_TIMEOUT_MS: "300", ISOLA_MAX_ISOLATES: "2" },
  });
  const ids = [];
  for (const name of ["aaa", "bbb", "ccc"]) ids.push((await server.deploy(name, appSource("life.ts"))).id);
  const born = async (name: string) => {
    // Connections of their own, which the kernel spreads over both.
    const answers = await Promise.all(Array.from({ length: 16 }, () => server.text(name, "/sleep?ms=50")));
    return new Set(answers.map((text) => JSON.parse(text).born));
  };
  for (let round = 0; round < 3; round++) {
    for (const name of ["aaa", "bbb", "ccc"]) {
      assert.equal((await born(name)).size, 1, `${name} in round ${round}`);
    }
  }
  await until("all idle out", async () => (await server.isolates()).length === 0);
  await server.api("DELETE", `/v1/deployments/${ids[0]}`);
  for (let i = 0; i < 16; i++) assert.match(await server.text("aaa"), /DEPLOYMENT_NOT_FOUND/);
});
