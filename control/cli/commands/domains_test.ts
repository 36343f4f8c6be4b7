import assert from "node:assert/strict";
import type { ApiDomain } from "../api_shapes.ts";
import {
  type ControlPlane,
  deployTo,
  run,
  startControlPlane,
  testDeps,
  TOKEN,
} from "../control_plane_test.ts";
import { runCli } from "../run_cli.ts";
import { TempFolder } from "../snapshot/temp_folder_test.ts";

/** Sets the record that verifies a registered domain. */
function setRecord(plane: ControlPlane, domain: string): void {
  const { token } = plane.store.database.get<{ token: string }>(
    "SELECT token FROM domains WHERE domain = ?",
    domain,
  )!;
  plane.dns.records.set(`_isola.${domain.replace("*.", "")}`, { TXT: [`isola-verification=${token}`] });
}

async function show(plane: ControlPlane, name: string): Promise<ApiDomain> {
  return JSON.parse((await run(plane, ["domains", "show", name, "--json"])).out);
}

Deno.test("domains add shows the records, waits for them, attaches, and gets the certificate", async () => {
  await using plane = await startControlPlane();
  const deployment = await deployTo(plane, "hello");
  const deps = testDeps({ env: { ISOLA_URL: plane.url, ISOLA_TOKEN: TOKEN } });
  const adding = runCli(["domains", "add", "Shop.example.com", "-p", "hello"], deps);
  await deps.stderr.until(/Waiting: Cannot verify domain "shop\.example\.com": there is no TXT record/);
  assert.match(
    deps.stderr.text,
    /^TYPE +NAME +CONTENT\nA +shop\.example\.com +203\.0\.113\.5\nTXT +_isola\.shop\./m,
  );
  setRecord(plane, "shop.example.com");
  assert.equal(await adding, 0, deps.stderr.text);
  assert.match(deps.stderr.text, /Verified "shop\.example\.com"\nAttached .* to the production of "hello"\n/);
  assert.equal(
    deps.stdout.text,
    "domain       shop.example.com\nownership    verified\ncertificate  none yet\n" +
      `project      hello\ndeployment   ${deployment}\n`,
  );

  const next = await deployTo(plane, "hello");
  assert.equal((await run(plane, ["promote", next])).code, 0);
  assert.equal((await show(plane, "SHOP.example.com.")).deploymentId, next);
  const again = await run(plane, ["domains", "add", "shop.example.com", "-p", "hello", "--json"]);
  assert.deepEqual([again.code, JSON.parse(again.out).provisioningStatus], [0, { code: "success" }]);
});

Deno.test("domains add --no-wait ends with the records to set, and the same command goes on later", async () => {
  await using plane = await startControlPlane();
  const first = await run(plane, ["domains", "add", "*.example.com", "--no-wait"]);
  assert.equal(first.code, 0, first.err);
  assert.match(first.err, /then go on with: isola domains add '\*\.example\.com'\n/);
  assert.match(first.out, /^ownership {4}not verified$/m);
  assert.match(first.out, /^TXT +_isola\.example\.com +isola-verification=[0-9a-f]{24}$/m);
  setRecord(plane, "*.example.com");
  const second = await run(plane, ["domains", "add", "*.example.com", "--json"]);
  assert.deepEqual([second.code, JSON.parse(second.out).isValidated], [0, true]);
  const deployment = await deployTo(plane, "hello");
  const attached = await run(plane, ["domains", "add", "*.example.com", "-p", "hello", "--json"]);
  assert.deepEqual([attached.code, JSON.parse(attached.out).deploymentId], [0, deployment]);
});

Deno.test("a certificate that cannot be got fails the command with what to do next", async () => {
  await using plane = await startControlPlane();
  plane.provision = () => Promise.reject(new Error("the CA was not there"));
  await run(plane, ["domains", "add", "shop.example.com", "--no-wait"]);
  setRecord(plane, "shop.example.com");
  const { code, err } = await run(plane, ["domains", "add", "shop.example.com"]);
  assert.equal(code, 1);
  assert.match(
    err,
    /error: Cannot get a certificate for "shop\.example\.com": the CA was not there\. Try again with: isola domains provision shop\.example\.com\n$/,
  );
  plane.provision = () => Promise.resolve();
  const retried = await run(plane, ["domains", "provision", "shop.example.com"]);
  assert.equal(retried.out, 'Domain "shop.example.com" has as its certificate: none yet\n');
});

Deno.test("domains are listed, verified, attached, detached and removed", async () => {
  await using plane = await startControlPlane();
  const deployment = await deployTo(plane, "hello");
  assert.match((await run(plane, ["domains"])).err, /^No domains yet/);
  for (const name of ["b.example.com", "a.example.com"]) {
    await run(plane, ["domains", "add", name, "--no-wait"]);
  }
  const unverified = await run(plane, ["domains", "verify", "a.example.com"]);
  assert.equal(unverified.code, 1);
  assert.match(
    unverified.err,
    /^error: Cannot verify domain "a\.example\.com": .* Set a TXT record at "_isola\.a\./,
  );
  setRecord(plane, "a.example.com");
  const verified = await run(plane, ["domains", "verify", "a.example.com"]);
  assert.equal(verified.out, 'Domain "a.example.com" is verified\n');
  const attached = await run(plane, ["domains", "attach", "a.example.com", "-d", deployment]);
  assert.equal(attached.out, `Domain "a.example.com" leads to deployment "${deployment}"\n`);
  assert.match(
    (await run(plane, ["domains", "list"])).out,
    new RegExp(
      "^DOMAIN +OWNERSHIP +CERTIFICATE +PROJECT +DEPLOYMENT +AGE\n" +
        `a\\.example\\.com +verified +none yet +hello +${deployment} +0s\n` +
        "b\\.example\\.com +not verified +none yet +- +- +0s\n$",
    ),
  );
  const toProject = await run(plane, ["domains", "attach", "a.example.com", "-p", "hello"]);
  assert.equal(toProject.out, 'Domain "a.example.com" leads to the production of "hello"\n');
  const detached = await run(plane, ["domains", "detach", "a.example.com"]);
  assert.equal(detached.out, 'Domain "a.example.com" leads nowhere any more\n');
  assert.equal((await show(plane, "a.example.com")).projectId, undefined);
  assert.equal(
    (await run(plane, ["domains", "remove", "a.example.com"])).out,
    'Removed domain "a.example.com"\n',
  );
  const gone = await run(plane, ["domains", "show", "a.example.com"]);
  assert.deepEqual([gone.code, gone.err], [
    1,
    'error: Cannot find domain "a.example.com": see isola domains, or add it: isola domains add a.example.com\n',
  ]);
});

Deno.test("a certificate is uploaded from files, and what is wrong with it is said", async () => {
  await using plane = await startControlPlane();
  using folder = new TempFolder();
  folder.write("chain.pem", "nothing");
  folder.write("key.pem", "nothing");
  await run(plane, ["domains", "add", "shop.example.com", "--no-wait"]);
  const upload = (...args: string[]) => {
    const env = { ISOLA_URL: plane.url, ISOLA_TOKEN: TOKEN };
    return run(plane, ["domains", "certificate", "shop.example.com", ...args], { cwd: folder.path, env });
  };
  const refused = await upload("--chain", "chain.pem", "--key", "key.pem");
  assert.equal(refused.code, 1);
  assert.match(refused.err, /^error: Cannot use certificate/);
  const unread = await upload("--chain", "chain.pem", "--key", "none.pem");
  assert.deepEqual([unread.code, /Cannot read --key "none\.pem": /.test(unread.err)], [2, true]);
});

Deno.test("a wrong domains command line is refused with what is allowed", async () => {
  const cases: [string[], string][] = [
    [
      ["domains", "rename"],
      'Unknown action "rename" of domains: known are list, add, show, verify, attach, detach,',
    ],
    [["domains", "show"], "Cannot show a domain without its name"],
    [
      ["domains", "attach", "a.example.com"],
      'Cannot attach "a.example.com": give either --project or --deployment',
    ],
    [
      ["domains", "certificate", "a.example.com", "--key", "x"],
      'Cannot upload a certificate of "a.example.com": give --chain and --key',
    ],
  ];
  for (const [args, message] of cases) {
    const deps = testDeps();
    assert.equal(await runCli(args, deps), 2, args.join(" "));
    assert.ok(deps.stderr.text.startsWith(`error: ${message}`), deps.stderr.text);
  }
});
