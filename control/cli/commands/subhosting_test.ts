import assert from "node:assert/strict";
import { jwtVerify } from "jose";
import { PLAIN_SUBHOSTER } from "../../api/testing/plain_subhoster.ts";
import type { SubhostedLog } from "../../model.ts";
import { run, startControlPlane, testDeps, TOKEN } from "../control_plane_test.ts";
import { runCli } from "../run_cli.ts";
import { TempFolder } from "../snapshot/temp_folder_test.ts";

const SECRET = "a secret that has thirty-two bytes";
const ACME = { id: "acme", secret: SECRET, rpcRoots: ["https://origin.example/v0/"] };
const BETA = { id: "beta", secret: "b", rpcRoots: ["https://b.example/", "https://c.example/"] };

/** `isola subhosting sign` beside an isola.yaml. */
async function sign(subhosting: unknown, ...args: string[]) {
  using folder = new TempFolder({ "isola.yaml": JSON.stringify({ subhosting }) });
  const deps = testDeps({ cwd: folder.path });
  const code = await runCli(["subhosting", "sign", ...args], deps);
  return { code, out: deps.stdout.text, err: deps.stderr.text };
}

async function verified(token: string, secret: string) {
  return await jwtVerify(token, new TextEncoder().encode(secret), { algorithms: ["HS256"] });
}

Deno.test("sign prints a token alone, as a relay would send it, without a server", async () => {
  const { code, out, err } = await sign([ACME], "--deployment", "d/1");
  assert.deepEqual([code, err], [0, ""]);
  assert.match(out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const { payload, protectedHeader } = await verified(out.trim(), SECRET);
  assert.deepEqual(protectedHeader, { alg: "HS256", typ: "JWT", kid: "acme" });
  const { iat, exp, ...claims } = payload;
  assert.deepEqual(claims, { deployment_id: "d/1", rpc_root: "https://origin.example/v0/" });
  assert.equal(exp! - iat!, 900);
});

Deno.test("sign chooses among subhosters, their origins, and how long the token is good", async () => {
  const args = [
    "-d",
    "d1",
    "--subhoster",
    "beta",
    "--rpc-root",
    "https://c.example/x/",
    "--expires-in",
    "2h",
  ];
  const { out } = await sign([ACME, BETA], ...args, "--json");
  const { token, ...shown } = JSON.parse(out);
  const { payload: { iat, exp, rpc_root } } = await verified(token, "b");
  assert.deepEqual([exp! - iat!, rpc_root], [7200, "https://c.example/x/"]);
  assert.deepEqual(shown, {
    subhosterId: "beta",
    deploymentId: "d1",
    rpcRoot: "https://c.example/x/",
    expiresAt: new Date(exp! * 1000).toISOString(),
  });
});

Deno.test("sign refuses what the server would, and says what is allowed", async () => {
  const rows: [subhosting: unknown[], args: string[], problem: RegExp][] = [
    [[ACME], [], /name its --deployment$/],
    [[], ["-d", "d1"], /isola\.yaml has no subhosting/],
    [[ACME], ["-d", "d 1"], /--deployment "d 1": must be 1 to 256 visible ASCII/],
    [[ACME, BETA], ["-d", "d1"], /name its --subhoster: acme, beta$/],
    [[ACME], ["-d", "d1", "--subhoster", "x"], /--subhoster "x": must be acme$/],
    [[BETA], ["-d", "d1"], /name its --rpc-root: https:\/\/b\.example\/, https:/],
    [[ACME], ["-d", "d1", "--rpc-root", "https://origin.example/"], /be or be below https:.*v0\/$/],
    [[ACME], ["-d", "d1", "--rpc-root", "https://origin.example/v0/x"], /must end in "\/"/],
    [[ACME], ["-d", "d1", "--expires-in", "25h"], /--expires-in "25h": must be like 900/],
    [[ACME], ["-d", "d1", "--expires-in", "0"], /--expires-in "0": must be like 900/],
    [[{ ...ACME, rpcRoots: [] }], ["-d", "d1"], /rpcRoots \[\] of .*at least one URL$/],
  ];
  for (const [subhosting, args, problem] of rows) {
    const { code, out, err } = await sign(subhosting, ...args);
    assert.deepEqual([code, out], [2, ""], args.join(" "));
    assert.match(err.trim(), problem);
    assert(!err.includes(SECRET));
  }
});

Deno.test("list shows each subhoster in a line, and below what goes wrong", async () => {
  await using plane = await startControlPlane();
  assert.match((await run(plane, ["subhosting"])).err, /^No subhosters are configured: /);
  const time = (minutes: number) => new Date(Date.now() - minutes * 60_000 - 5000).toISOString();
  plane.subhosters.push(PLAIN_SUBHOSTER, {
    ...PLAIN_SUBHOSTER,
    id: "beta",
    origins: [1, 2, 3, 4, 5].map((failures) => ({
      ...PLAIN_SUBHOSTER.origins[0]!,
      rpcRoot: `https://origin.example/${failures}/`,
      circuit: failures === 3 ? "open" : "closed",
      failures,
      lastError: failures === 5 ? null : { message: "connection refused\x1b]0;", time: time(failures) },
    })),
    events: {
      pending: 5,
      pendingBytes: 600,
      delivered: 0,
      dropped: 2,
      lastError: { message: "503", time: time(3) },
    },
  });
  plane.refusedTokens.push(
    { subhosterId: "beta", reason: "signature", count: 2, lastAt: time(3) },
    { subhosterId: null, reason: "unknown_subhoster", count: 1, lastAt: time(3) },
  );
  const { out, err } = await run(plane, ["subhosting", "list"]);
  const [header = "", ...rows] = out.trimEnd().split("\n");
  assert.match(
    header,
    /^ID +REGION +ISOLATES +REQUESTS +CPU +OUT +KEPT +ON DISK +ORIGIN +EVENTS WAITING +REFUSED$/,
  );
  assert.match(rows[0]!, /^acme +fra +2 +7 +1\.5 s +2\.0 KiB +12 +4\.0 KiB +ok +0 +0$/);
  assert.match(rows[1]!, /^beta +fra .* away +5 +2$/);
  assert.deepEqual(err.trimEnd().split("\n"), [
    ...[1, 2, 3].map((count) =>
      `beta: ${count} of 20 calls to https://origin.example/${count}/ failed, the last ${count}m ago: connection refused]0;`
    ),
    "beta: calls to 1 more origins failed: see --json",
    "beta: events were not taken, the last 3m ago: 503",
    "beta: 2 events were dropped",
    "beta: 2 tokens were refused (signature), the last 3m ago",
    "no subhoster's: 1 token was refused (unknown_subhoster), the last 3m ago",
  ]);
  const [acme] = JSON.parse((await run(plane, ["subhosting", "--json"])).out);
  assert.deepEqual(acme, { ...PLAIN_SUBHOSTER, refusedTokens: [] });
});

Deno.test("logs shows what a subhoster's deployments print, and follows it", async () => {
  await using plane = await startControlPlane();
  plane.subhosters.push(PLAIN_SUBHOSTER);
  const line = (deploymentId: string, message: string): SubhostedLog => ({
    time: new Date().toISOString(),
    level: "info",
    deploymentId,
    message,
    region: "fra",
  });
  plane.logs.subhosted.append("acme", [line("d-1", "first"), line("d-2", "second")]);
  const { out } = await run(plane, ["subhosting", "logs", "acme"]);
  assert.match(out, /^d-1 [\d:.]{12} info {4}first\nd-2 [\d:.]{12} info {4}second\n$/);

  const stop = new AbortController();
  const deps = testDeps({ env: { ISOLA_URL: plane.url, ISOLA_TOKEN: TOKEN }, signal: stop.signal });
  const running = runCli(["subhosting", "logs", "acme", "-f", "-d", "d-2", "--json"], deps);
  await deps.stdout.until(/second/);
  plane.logs.subhosted.append("acme", [line("d-1", "third"), line("d-2", "fourth")]);
  await deps.stdout.until(/fourth/);
  stop.abort();
  assert.equal(await running, 0);
  const messages = deps.stdout.text.trimEnd().split("\n").map((text) => JSON.parse(text).message);
  assert.deepEqual(messages, ["second", "fourth"]);

  for (
    const [args, code, problem] of [
      [["logs"], 2, /name the SUBHOSTER$/],
      [["logs", "nobody"], 1, /Subhoster "nobody" is not configured$/],
      [["logs", "acme", "--level", "loud"], 2, /--level "loud"/],
      [["logs", "acme", "-f", "--until", "1h"], 2, /--follow with --until/],
      [["show"], 2, /Unknown action "show" of subhosting: known are list, logs, sign$/],
    ] as const
  ) {
    const refused = await run(plane, ["subhosting", ...args]);
    assert.equal(refused.code, code, args.join(" "));
    assert.match(refused.err.trim(), problem);
  }
});
