import assert from "node:assert/strict";
import { join } from "node:path";
import { startTestApi, type TestApi } from "../testing/test_api.ts";

const MiB = 2 ** 20;
const encoder = new TextEncoder();

/** Sends a create body of these pieces until it is answered. */
async function create(api: TestApi, projectId: string, pieces: AsyncIterable<string> | Iterable<string>) {
  let isAnswered = false;
  async function* bytes() {
    for await (const piece of pieces) {
      if (isAnswered) return;
      yield encoder.encode(piece);
    }
  }
  const response = await fetch(`${api.url}/v1/projects/${projectId}/deployments`, {
    method: "POST",
    headers: { authorization: `Bearer ${api.token}` },
    body: ReadableStream.from(bytes()),
  });
  const body = await response.json();
  isAnswered = true;
  return { status: response.status, body };
}

function contents(api: TestApi, deploymentId: string, path: string): Promise<Uint8Array> {
  const entry = api.store.deployments.snapshot(deploymentId)!.files[path]!;
  assert.ok(entry.kind === "file");
  return Deno.readFile(api.store.blobs.path(entry.sha256));
}

async function temporaryFiles(api: TestApi): Promise<string[]> {
  const dir = join(api.store.blobs.temporaryPath(), "..");
  return (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name);
}

Deno.test("long contents are stored as they arrive, whatever the order of the fields", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const binary = new Uint8Array(20 * bytes.length);
  for (let at = 0; at < binary.length; at += bytes.length) binary.set(bytes, at);
  const text = 'grüße "🦕"\\\n\u2028'.repeat(100_000);
  const { status, body } = await create(api, projectId, [
    '{"envVars":{},"assets":{"a.bin":{"kind":"file","content":"',
    ...binary.toBase64().match(/.{1,7777}/g)!.map((line) => `${line}\\n`),
    '","encoding":"base64"},"b.bin":{"encoding":"base64","content":"',
    binary.toBase64(),
    '","kind":"file"},"c.txt":{"content":',
    JSON.stringify(text),
    ',"kind":"file"},"main.ts":{"kind":"file","content":""}},"entryPointUrl":"main.ts"}',
  ]);
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(await contents(api, body.id, "a.bin"), binary);
  assert.deepEqual(await contents(api, body.id, "b.bin"), binary);
  assert.equal(new TextDecoder().decode(await contents(api, body.id, "c.txt")), text);
  assert.deepEqual(await temporaryFiles(api), []);
});

Deno.test("what is wrong is answered before the rest of the body arrives, and nothing is left of it", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const begin = '{"entryPointUrl":"main.ts","envVars":{},"assets":{';
  const cases: [beginning: string, message: RegExp][] = [
    ['{"entryPointUrl":5,"assets":{"a":{', /"entryPointUrl": Invalid input/],
    [
      '{"envVars":{"DENO_DIR":"x"},"domains":["x"],"assets":{"a":{',
      /"envVars.DENO_DIR".*"domains.0"|"envVars/,
    ],
    ['{"domains":["x.isola.test"],"assets":{"a":{', /"domains.0": must not be under/],
    [`${begin}"../a":`, /Cannot take asset "..\/a"/],
    [`${begin}"a":{"kind":"file","content":"1"},"a":`, /Cannot take asset "a": it is there twice/],
    [`${begin}"a":{"kind":"dir"},`, /Cannot take asset "a": must be \{kind: "file"/],
    [`${begin}"a":{"kind":"file","content":"\\ud800"},`, /"a": its content is not valid Unicode/],
    [`${begin}"a":{"kind":"file","content":1},`, /"a": must be \{kind: "file"/],
  ];
  for (const [beginning, message] of cases) {
    const refused = await create(api, projectId, endless(beginning));
    assert.equal(refused.status, 400, beginning);
    assert.match(refused.body.message, message);
  }
  for (const invalid of ["x".repeat(MiB) + "!", "QQ==" + "A".repeat(MiB), "A".repeat(MiB + 1)]) {
    const refused = await create(api, projectId, [
      `${begin}"a":{"kind":"file","content":"${invalid}","encoding":"base64"}}}`,
    ]);
    assert.match(refused.body.message, /"a": its content is not base64/);
  }
  assert.deepEqual([await temporaryFiles(api), api.submitted], [[], []]);
});

Deno.test("code is bounded while it arrives, and so are files and fields", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const code = JSON.stringify({ kind: "file", content: "x".repeat(11 * MiB) });
  const tooMuch = await create(
    api,
    projectId,
    endless(`{"assets":{"a.ts":${code},"b.ts":${code},"c":{"content":"`),
  );
  assert.match(tooMuch.body.message, /^Cannot take more than 20971520 bytes of code/);
  const links = Array.from({ length: 10_001 }, (_, at) => `"${at}":{"kind":"symlink","target":"a"}`);
  const tooMany = await create(api, projectId, endless(`{"assets":{${links.join()},"`));
  assert.match(tooMany.body.message, /^Cannot take more than 10000 assets/);
  const held = await create(api, projectId, endless('{"unknown":"'));
  assert.deepEqual([held.status, held.body.code], [413, "bodyTooLarge"]);
});

Deno.test("ten thousand assets are taken in at once", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const gitSha1 = "6b584e8ece562ebffc15d38808cd6b98fc3d97ea";
  await api.call("PUT", `/v1/projects/${projectId}/assets/${gitSha1}`, "content");
  const assets = Object.fromEntries(
    Array.from(
      { length: 10_000 },
      (_, at) => [`pkg-${at % 200}/lib/file-${at}.js`, { kind: "file", gitSha1 }],
    ),
  );
  const body = JSON.stringify({ entryPointUrl: "pkg-0/lib/file-0.js", assets, envVars: {} });
  const created = await create(api, projectId, [body]);
  assert.equal(created.status, 200);
  assert.equal(Object.keys(api.store.deployments.snapshot(created.body.id)!.files).length, 10_000);
});

/** A body that goes on for as long as it is read. */
async function* endless(beginning: string): AsyncGenerator<string> {
  yield beginning;
  const more = "x".repeat(64 * 1024);
  for (;;) yield await Promise.resolve(more);
}
