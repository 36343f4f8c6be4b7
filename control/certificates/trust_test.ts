import assert from "node:assert/strict";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { carryOutTrust } from "./carry_out_trust.ts";
import { openLocalCa } from "./local_ca.ts";
import { planTrust, type TrustMachine } from "./trust.ts";
import { inspectMachine } from "./trust_machine.ts";
import { CHROMIUM, CHROMIUM_FLAGS } from "../../tests/chromium.ts";

const CA = { name: "Isola local CA 1a2b3c4d", certificatePath: "/data/ca.pem" };
const FILE = "/isola-local-ca-1a2b3c4d.crt";

function machine(options: {
  os?: TrustMachine["os"];
  isRoot?: boolean;
  programs?: string[];
  paths?: string[];
  browserFolders?: string[];
}): TrustMachine {
  const { os = "linux", isRoot = false, programs = [], paths = [], browserFolders = [] } = options;
  return {
    os,
    isRoot,
    home: "/home/ada",
    browserFolders,
    hasProgram: (name) => programs.includes(name),
    hasPath: (path) => paths.includes(path),
  };
}

/** Commands of a plan, as lines; an undo begins with "-". */
function lines(machine: TrustMachine): string[] {
  return planTrust(CA, machine).flatMap(({ commands, undo }) => [
    ...commands.map((command) => command.join(" ")),
    ...undo.map((command) => `- ${command.join(" ")}`),
  ]);
}

Deno.test("Debian's store is changed by its program, as root or through sudo", () => {
  const folder = "/usr/local/share/ca-certificates";
  const paths = [folder];
  assert.deepEqual(lines(machine({ isRoot: true, programs: ["update-ca-certificates", "sudo"], paths })), [
    `install -m 0644 /data/ca.pem ${folder}${FILE}`,
    "update-ca-certificates",
    `- rm -f ${folder}${FILE}`,
    "- update-ca-certificates --fresh",
  ]);
  assert.deepEqual(lines(machine({ programs: ["update-ca-certificates", "sudo"], paths })).slice(0, 2), [
    `sudo -- install -m 0644 /data/ca.pem ${folder}${FILE}`,
    "sudo -- update-ca-certificates",
  ]);
});

Deno.test("Fedora's store is changed by its program", () => {
  const folder = "/etc/pki/ca-trust/source/anchors";
  assert.deepEqual(lines(machine({ isRoot: true, programs: ["update-ca-trust"], paths: [folder] })), [
    `install -m 0644 /data/ca.pem ${folder}${FILE}`,
    "update-ca-trust extract",
    `- rm -f ${folder}${FILE}`,
    "- update-ca-trust extract",
  ]);
});

Deno.test("on macOS the user's own keychain trusts it", () => {
  assert.deepEqual(lines(machine({ os: "darwin" })), [
    "security add-trusted-cert -r trustRoot -k /home/ada/Library/Keychains/login.keychain-db /data/ca.pem",
    "- security remove-trusted-cert /data/ca.pem",
  ]);
});

Deno.test("browsers on Linux trust it through their NSS databases, that of Chromium made if it is missing", () => {
  const chromiumFolder = "/home/ada/.pki/nssdb";
  const firefoxFolder = "/home/ada/.mozilla/firefox/x.default";
  const add = (folder: string) => `certutil -d sql:${folder} -A -t C,, -n ${CA.name} -i /data/ca.pem`;
  const remove = (folder: string) => `- certutil -d sql:${folder} -D -n ${CA.name}`;
  assert.deepEqual(lines(machine({ programs: ["certutil"], browserFolders: [firefoxFolder] })), [
    `mkdir -p ${chromiumFolder}`,
    `certutil -d sql:${chromiumFolder} -N --empty-password`,
    add(chromiumFolder),
    remove(chromiumFolder),
    add(firefoxFolder),
    remove(firefoxFolder),
  ]);
  const paths = [`${chromiumFolder}/cert9.db`];
  assert.deepEqual(lines(machine({ programs: ["certutil"], paths })), [
    add(chromiumFolder),
    remove(chromiumFolder),
  ]);
});

Deno.test("a machine with no known store has no plan", () => {
  assert.deepEqual(planTrust(CA, machine({})), []);
  assert.deepEqual(planTrust(CA, machine({ os: "windows" })), []);
});

Deno.test("profiles of browsers are found below the home of the user", async () => {
  const home = await Deno.makeTempDir({ prefix: "isola-trust-" });
  try {
    const profile = join(home, ".mozilla/firefox/x.default");
    await Deno.mkdir(profile, { recursive: true });
    await Deno.mkdir(join(home, ".mozilla/firefox/empty"));
    await Deno.writeTextFile(join(profile, "cert9.db"), "");
    const found = inspectMachine({ HOME: home, PATH: `${home}/bin:/usr/bin:/bin` });
    assert.deepEqual(found.browserFolders, [profile]);
    assert(found.hasProgram("sh") && !found.hasProgram("no-such-program"));
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("it is said what is done and how it is undone, also when a step fails", async () => {
  const printed: string[] = [];
  const succeeded = await carryOutTrust([
    { store: "one", commands: [["true", "it's", "a b"]], undo: [["rm", "-f", "a b"]] },
    { store: "two", commands: [["false"], ["true"]], undo: [["rm", "two"]] },
    { store: "three", commands: [["/no/such/program"]], undo: [["rm", "three"]] },
  ], { path: Deno.env.get("PATH")!, print: (line) => printed.push(line) });
  assert.equal(succeeded, false);
  assert.deepEqual(printed.filter((line) => !line.includes("No such file")), [
    "Trusting the local CA in one:",
    "  true 'it'\\''s' 'a b'",
    "Trusting the local CA in two:",
    "  false",
    'Cannot run "false": it exited with code 1',
    "Trusting the local CA in three:",
    "  /no/such/program",
    "To undo this:",
    "  rm -f 'a b'",
    "  rm two",
    "  rm three",
  ]);
  assert.match(printed[7]!, /^Cannot run "\/no\/such\/program": /);
});

const isReady = [CHROMIUM, "/usr/bin/certutil"].every((path) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
});

Deno.test({
  name: "Chromium trusts what the CA has issued once its database does, and not before",
  // scripts/setup.sh installs both where it may: as root on Debian.
  ignore: !isReady,
  // The library keeps timers and pipes of its own until the process ends.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const home = await Deno.makeTempDir({ prefix: "isola-trust-" });
    const ca = await openLocalCa({ folder: join(home, "ca"), baseDomain: "localhost" });
    const { chain, privateKey } = await ca.issue(["shop.localhost", "isola.localhost", "*.isola.localhost"]);
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, cert: chain, key: privateKey, onListen() {} },
      () => new Response("here"),
    );
    const visit = async (hostname: string) => {
      const env = { HOME: home, PATH: Deno.env.get("PATH")! };
      const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...CHROMIUM_FLAGS], env });
      try {
        const page = await browser.newPage();
        const response = await page.goto(`https://${hostname}:${server.addr.port}/`);
        return await response!.text();
      } finally {
        await browser.close();
      }
    };
    try {
      await assert.rejects(visit("shop.localhost"), /ERR_CERT_AUTHORITY_INVALID/);
      const known: TrustMachine = {
        ...inspectMachine({ HOME: home, PATH: "/usr/bin:/bin" }),
        hasPath: () => false,
      };
      const steps = planTrust(ca, { ...known, hasProgram: (name) => name === "certutil" });
      assert(await carryOutTrust(steps, { path: Deno.env.get("PATH")!, print() {} }));
      assert.equal(await visit("shop.localhost"), "here");
      assert.equal(await visit("x.isola.localhost"), "here");
      for (const [program, ...args] of steps.flatMap(({ undo }) => undo)) {
        assert((await new Deno.Command(program!, { args: [...args] }).output()).success);
      }
      await assert.rejects(visit("shop.localhost"), /ERR_CERT_AUTHORITY_INVALID/);
    } finally {
      await Deno.remove(home, { recursive: true });
    }
  },
});
