import assert from "node:assert/strict";
import { join } from "node:path";
import { issue } from "../certificates/testing/issue.ts";
import { loadConfig } from "../config/config.ts";
import { TestDnsServer } from "../domains/testing/dns_server.ts";
import { openStore } from "../store/mod.ts";
import { examine } from "./examine.ts";

const MEMORY_BYTES = 8 * 1024 ** 3;

/** What is found with these settings, by check. */
async function examined(dataDir: string, env: Record<string, string>, yaml = "{}") {
  const config = loadConfig({
    flags: { config: "/isola.yaml" },
    env: { ISOLA_DATA_DIR: dataDir, ISOLA_SANDBOX: "off", ...env },
    readFile: () => yaml,
    cwd: "/",
    memoryBytes: MEMORY_BYTES,
  });
  return new Map((await examine(config, MEMORY_BYTES)).map((finding) => [finding.check, finding]));
}

async function withDir(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-doctor-" });
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const FREE = { ISOLA_HTTP_ADDR: "127.0.0.1:0", ISOLA_CONTROL_ADDR: "127.0.0.1:0" };

Deno.test("on a machine where all is well nothing is a problem, and nothing is changed", () =>
  withDir(async (dir) => {
    const dataDir = join(dir, "data");
    const found = await examined(dataDir, FREE);
    const problems = [...found.values()].filter(({ status }) => status === "problem");
    assert.deepEqual(problems.filter(({ check }) => check !== "disk"), []);
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  }));

Deno.test("a port that somebody else has is a problem, with what to do", () =>
  withDir(async (dir) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const found = await examined(dir, { ...FREE, ISOLA_HTTP_ADDR: `127.0.0.1:${taken.addr.port}` });
    assert.equal(found.get("HTTP address")?.status, "problem");
    assert.match(found.get("HTTP address")?.advice ?? "", /ss -ltnp/);
    assert.equal(found.get("control address")?.status, "ok");
  }));

for (const [hostname, host] of [["127.0.0.1", "127.0.0.1"], ["::1", "[::1]"]] as const) {
  Deno.test(`a port at ${host} of a server with another data directory is a problem, too`, () =>
    withDir(async (dir) => {
      await using other = Deno.serve(
        { hostname, port: 0, onListen() {} },
        () => Response.json({ version: "0.1.0" }),
      );
      const env = { ...FREE, ISOLA_CONTROL_ADDR: `${host}:${other.addr.port}` };
      assert.equal((await examined(dir, env)).get("control address")?.status, "problem");
      using _store = await openStore(dir);
      assert.match((await examined(dir, env)).get("control address")!.message, /is this server's$/);
    }));
}

Deno.test("a certificate of the operator that cannot be used, or ends soon, is found", () =>
  withDir(async (dir) => {
    const files = { cert: join(dir, "cert.pem"), key: join(dir, "key.pem") };
    const yaml = JSON.stringify({ tls: { certificates: [files] } });
    const env = { ...FREE, ISOLA_HTTPS_ADDR: "127.0.0.1:0" };
    const of = async () => (await examined(dir, env, yaml)).get("certificate")!;
    const missing = await of();
    assert.deepEqual([missing.status, missing.message.includes(files.cert)], ["problem", true]);
    for (const [days, status] of [[60, "ok"], [7, "warning"]] as const) {
      const notAfter = Date.now() + days * 86_400_000;
      const { certificate, privateKey } = await issue({ names: ["shop.example"], notAfter });
      await Deno.writeTextFile(files.cert, certificate);
      await Deno.writeTextFile(files.key, privateKey);
      assert.equal((await of()).status, status);
    }
  }));

Deno.test("state that is damaged, and a key that others can read, are found", () =>
  withDir(async (dir) => {
    (await openStore(dir)).close();
    const whole = await examined(dir, FREE);
    assert.equal(whole.get("state")?.status, "ok");
    assert.equal(whole.get("secrets")?.status, "ok");

    await Deno.chmod(join(dir, "secret.key"), 0o644);
    using file = await Deno.open(join(dir, "isola.db"), { write: true });
    await file.seek(4096, Deno.SeekMode.Start);
    await file.write(crypto.getRandomValues(new Uint8Array(16_384)));
    const broken = await examined(dir, FREE);
    assert.equal(broken.get("state")?.status, "problem");
    assert.match(broken.get("state")?.advice ?? "", /isola restore/);
    assert.equal(broken.get("secrets")?.advice, `chmod 600 ${join(dir, "secret.key")}`);
  }));

Deno.test("a base domain that leads elsewhere or nowhere is found by asking the configured name server", () =>
  withDir(async (dir) => {
    await using dns = new TestDnsServer();
    const env = { ...FREE, ISOLA_BASE_DOMAIN: "apps.example.com" };
    const yaml = JSON.stringify({ dns: { servers: [dns.address], addresses: ["192.0.2.1"] } });
    const nowhere = (await examined(dir, env, yaml)).get("DNS")!;
    assert.equal(nowhere.status, "problem");
    assert.match(nowhere.advice ?? "", /\*\.apps\.example\.com A 192\.0\.2\.1/);
  }));
