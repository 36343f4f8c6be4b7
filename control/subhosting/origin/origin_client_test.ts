import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { SubhostingEvent } from "../model.ts";
import {
  answer,
  cutBody,
  endless,
  gzipBomb,
  type OriginFault,
  redirect,
  status,
} from "../testing/origin_faults.ts";
import { TEST_ENTRYPOINT, TestOrigin } from "../testing/test_origin.ts";
import { MAX_BOOT_BYTES } from "./origin_client.ts";
import { MAX_TREE_BYTES } from "./read_file_tree.ts";
import { clientOf } from "./testing/client_of.ts";
import { TurnClock } from "./testing/turn_clock.ts";

const SECRET = "a secret of enough length, for tests";
const CODE = `export default { fetch: () => new Response("grüße") };`.repeat(100);
/** Visible ASCII, as ids may be; some of it means something in a URL, or in JSON. */
const ID = `d/../?a=b&c#"%2f+~\\`;

Deno.test("An origin is asked for code, files and their contents, and told events", async (t) => {
  const files = { "/hello.txt": "hello", "/a/empty.txt": "", "/a/b/large.bin": "x".repeat(3_000_000) };
  await using origin = await TestOrigin.start({
    secret: SECRET,
    deployments: { [ID]: { code: CODE, config: { envs: { A: "ü" }, permissions: { net: false } }, files } },
  });
  using client = clientOf(origin);
  const dir = await Deno.makeTempDir({ prefix: "i7-origin-" });

  await t.step("boot", async () => {
    const { config, body } = await client.boot(origin.origin, ID);
    assert.equal(new TextDecoder().decode(body), CODE);
    assert.deepEqual(config, {
      entrypoint: TEST_ENTRYPOINT,
      env: { A: "ü" },
      layer: { kind: "bundle", specifier: TEST_ENTRYPOINT },
      net: [],
    });
  });

  await t.step("read_tree and read_blob", async () => {
    const tree = await client.readTree(origin.origin, ID);
    assert.deepEqual([...tree.keys()].sort(), ["", "/a", "/a/b", ...Object.keys(files)].sort());
    for (const [path, content] of Object.entries(files)) {
      const entry = tree.get(path);
      assert.ok(entry?.kind === "file" && entry.size === content.length);
      const file = `${dir}/${entry.hash}`;
      await client.readBlob(origin.origin, { deploymentId: ID, hash: entry.hash, size: entry.size }, file);
      assert.equal(await Deno.readTextFile(file), content);
      assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
    }
  });

  await t.step("a file that is there is left alone", async () => {
    await Deno.writeTextFile(`${dir}/mine`, "mine");
    const blob = { deploymentId: ID, hash: "h", size: 5 };
    origin.fault = () => answer("hello");
    await assert.rejects(client.readBlob(origin.origin, blob, `${dir}/mine`), Deno.errors.AlreadyExists);
    assert.equal(await Deno.readTextFile(`${dir}/mine`), "mine");
  });

  await t.step("a blob that is not as long as its tree says leaves nothing", async () => {
    for (const size of [4, 6, 0]) {
      const blob = { deploymentId: ID, hash: "h", size };
      await assert.rejects(client.readBlob(origin.origin, blob, `${dir}/lie`), {
        code: "invalid",
        message: size === 6
          ? /has 5 bytes, where its file tree says 6/
          : new RegExp(`longer than ${size} bytes`),
      });
      await assert.rejects(Deno.stat(`${dir}/lie`), Deno.errors.NotFound);
    }
    origin.fault = () => cutBody;
    const blob = { deploymentId: ID, hash: "h", size: 1000 };
    await assert.rejects(client.readBlob(origin.origin, blob, `${dir}/cut`), { code: "unavailable" });
    await assert.rejects(Deno.stat(`${dir}/cut`), Deno.errors.NotFound);
    origin.fault = () => undefined;
  });

  await t.step("events", async () => {
    const events = [{ event_type: "boot" }, { event_type: "log" }] as SubhostingEvent[];
    const lines = events.map((event) => `${JSON.stringify(event)}\n`).join("");
    await client.postEvents(origin.origin, new Uint8Array(gzipSync(lines)));
    assert.deepEqual(origin.events, events);
  });

  assert.deepEqual(origin.refusals, []);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("What an origin answers is not believed", async (t) => {
  await using origin = await TestOrigin.start({ secret: SECRET, deployments: { d: { code: CODE } } });
  await using elsewhere = await TestOrigin.start({ secret: SECRET, deployments: { d: { code: CODE } } });
  using client = clientOf(origin);
  const boot = () => client.boot(origin.origin, "d");
  const readTree = () => client.readTree(origin.origin, "d");
  const tooLong = (bytes: number) => new RegExp(`longer than ${bytes} bytes`);

  const refused: [string, OriginFault, () => Promise<unknown>, string, RegExp][] = [
    ["404", status(404), boot, "not_found", /it answered 404$/],
    ["401", status(401), boot, "invalid", /it answered 401\. Does the origin have the same secret\?$/],
    ["403", status(403), boot, "invalid", /it answered 403\. Does/],
    ["418", status(418), boot, "invalid", /it answered 418$/],
    ["204", () => new Response(null, { status: 204 }), boot, "invalid", /it answered 204$/],
    [
      "a redirect",
      redirect(`${elsewhere.rpcRoot}boot`),
      boot,
      "invalid",
      /302, but redirects are not followed/,
    ],
    ["no configuration", () => new Response(CODE), boot, "invalid", /no header "x-deno-config"/],
    ["a garbage configuration", answer(CODE, { "x-deno-config": "{" }), boot, "invalid", /is not JSON$/],
    [
      "a huge configuration",
      answer(CODE, { "x-deno-config": "x".repeat(65_537) }),
      boot,
      "invalid",
      tooLong(65_536),
    ],
    ["endless code", endless, boot, "invalid", tooLong(MAX_BOOT_BYTES)],
    ["a bomb of code", gzipBomb(MAX_BOOT_BYTES + 1), boot, "invalid", tooLong(MAX_BOOT_BYTES)],
    ["no gzip", answer(CODE, { "content-encoding": "gzip" }), boot, "invalid", /cannot be decompressed/],
    ["half of the code", cutBody, boot, "unavailable", /broke off/],
    ["a garbage tree", answer("{]"), readTree, "invalid", /not JSON/],
    ["half a tree", answer(`{"entries":{`), readTree, "invalid", /not JSON/],
    ["a tree and more", answer(`{"entries":{}}{}`), readTree, "invalid", /not JSON/],
    ["no tree", answer(`{"x":1}`), readTree, "invalid", /no "entries"/],
    ["a list for a tree", answer("[]"), readTree, "invalid", /not JSON/],
    ["a tree that is not UTF-8", answer(new Uint8Array([0x7b, 0xff])), readTree, "invalid", /not UTF-8/],
    [
      "a tree with a great entry",
      answer(`{"entries":{"/a":{"kind":"symlink","target":"${"/".repeat(64 * 1024)}"}}}`),
      readTree,
      "invalid",
      /values that are too long/,
    ],
    ["an endless tree", endless, readTree, "invalid", tooLong(MAX_TREE_BYTES)],
    ["a tree that leaves itself", answer(`{"entries":{"/../a":{}}}`), readTree, "invalid", /normalized/],
  ];
  for (const [name, fault, call, code, message] of refused) {
    await t.step(name, async () => {
      origin.fault = () => fault;
      const calls = origin.calls.length;
      await assert.rejects(call(), { name: "OriginError", code, message });
      assert.equal(origin.calls.length, calls + 1, "it was not asked again");
    });
  }

  assert.deepEqual(elsewhere.calls, [], "no redirect was followed");
  assert.equal(client.states()[0]?.circuit, "closed", "whoever answers is there");
  origin.fault = () => undefined;
  assert.equal(new TextDecoder().decode((await boot()).body), CODE);
});

Deno.test("Only the configured roots of the subhoster itself are called", async () => {
  await using origin = await TestOrigin.start({ secret: SECRET, deployments: { d: { code: CODE } } });
  using client = clientOf(origin);
  for (
    const [subhosterId, rpcRoot] of [
      ["acme", "https://elsewhere.example/v0/"],
      ["acme", origin.rpcRoot.replace("/v0/", "/")],
      ["acme", `${origin.rpcRoot}../`],
      ["other", origin.rpcRoot],
    ] as const
  ) {
    await assert.rejects(client.boot({ subhosterId, rpcRoot }, "d"), { code: "invalid" });
    await assert.rejects(client.postEvents({ subhosterId, rpcRoot }, new Uint8Array()), { code: "invalid" });
  }
  assert.deepEqual(origin.calls, []);
  assert.deepEqual(client.states(), []);
});

Deno.test("An error names the call and no secret", async () => {
  await using origin = await TestOrigin.start({ secret: SECRET });
  using client = clientOf(origin, { secret: `${SECRET}, and another` });
  const error: Error = await client.boot(origin.origin, "d").then(() => assert.fail(), (error) => error);
  assert.equal(
    error.message,
    `Cannot GET boot of deployment "d" at "${origin.rpcRoot}": it answered 401. Does the origin have the same secret?`,
  );
  assert.doesNotMatch(Deno.inspect([error, client, client.states()], { depth: 9 }), /and another|eyJ/);
  assert.deepEqual(origin.refusals, ["signature verification failed"]);
});

Deno.test("Events are posted once, and how that ends says nothing of other calls", async () => {
  await using origin = await TestOrigin.start({ secret: SECRET, deployments: { d: { code: CODE } } });
  const clock = new TurnClock();
  using client = clientOf(origin, { clock });
  origin.fault = ({ rpc }) => rpc === "events" ? status(503) : undefined;
  for (let i = 0; i < 10; i++) {
    await assert.rejects(client.postEvents(origin.origin, new Uint8Array(gzipSync(""))), {
      code: "unavailable",
      status: 503,
    });
  }
  assert.equal(origin.calls.length, 10);
  await client.boot(origin.origin, "d");
  const [state] = client.states();
  assert.deepEqual([state?.circuit, state?.calls, state?.failures], ["closed", 11, 10]);
  assert.match(state?.lastError?.message ?? "", /^Cannot POST events at "http/);
  origin.fault = () => status(202);
  await client.postEvents(origin.origin, new Uint8Array(gzipSync("")));
});
