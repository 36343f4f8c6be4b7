import assert from "node:assert/strict";
import { BlobHasher } from "../cli/snapshot/git_blob.ts";
import { takeSnapshot } from "../cli/snapshot/take_snapshot.ts";
import { pathToFileURL } from "node:url";
import { TempFolder } from "../cli/snapshot/temp_folder_test.ts";

const SITE = {
  "index.html": "<h1>home</h1>",
  "about.html": "about",
  "docs/index.html": "docs",
  "a b/ü&.txt": "odd name",
  "style.css": "body{}",
  "numbers.bin": "0123456789",
  "empty.txt": "",
  "big.bin": "x".repeat(2_000_000),
  ".secret": "hidden",
  ".well-known/security.txt": "contact",
  "link.txt": { link: "about.html" },
  "404.html": "nothing here",
};

/** The site as it is deployed: its own files and the generated ones in one folder, served by the generated program. */
async function serveSite(entries: Record<string, string | { link: string }>) {
  const folder = new TempFolder(entries);
  const { entrypoint, files } = await takeSnapshot(folder.path, {
    entrypoint: undefined,
    hasher: new BlobHasher(),
    signal: new AbortController().signal,
  });
  for (const { path, open } of files) {
    if (path.startsWith("_isola_static")) folder.write(path, await new Response(await open()).text());
  }
  const { default: app } = await import(pathToFileURL(`${folder.path}/${entrypoint}`).href);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, app.fetch);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      folder[Symbol.dispose]();
    },
  };
}

Deno.test("a static site serves its files with their types", async () => {
  await using site = await serveSite(SITE);
  const cases: [string, number, string, string][] = [
    ["/", 200, "text/html; charset=utf-8", "<h1>home</h1>"],
    ["/about.html", 200, "text/html; charset=utf-8", "about"],
    ["/about", 200, "text/html; charset=utf-8", "about"],
    ["/docs/", 200, "text/html; charset=utf-8", "docs"],
    ["/a%20b/%C3%BC&.txt", 200, "text/plain; charset=utf-8", "odd name"],
    ["/style.css?v=2", 200, "text/css; charset=utf-8", "body{}"],
    ["/numbers.bin", 200, "application/octet-stream", "0123456789"],
    ["/empty.txt", 200, "text/plain; charset=utf-8", ""],
    ["/link.txt", 200, "text/plain; charset=utf-8", "about"],
    ["/.well-known/security.txt", 200, "text/plain; charset=utf-8", "contact"],
    ["/missing", 404, "text/html; charset=utf-8", "nothing here"],
    ["/.secret", 404, "text/html; charset=utf-8", "nothing here"],
    ["/_isola_static.ts", 404, "text/html; charset=utf-8", "nothing here"],
    ["/%2e%2e/%2e%2e/etc/passwd", 404, "text/html; charset=utf-8", "nothing here"],
    ["/..%2f..%2fetc/passwd", 404, "text/html; charset=utf-8", "nothing here"],
  ];
  for (const [path, status, type, body] of cases) {
    const response = await fetch(site.url + path);
    const got = [response.status, response.headers.get("content-type"), await response.text()];
    assert.deepEqual(got, [status, type, body], path);
  }
  const bad = await fetch(`${site.url}/%ff`);
  assert.deepEqual([bad.status, await bad.text()], [400, "Bad request\n"]);
});

Deno.test("a folder's address gets its slash, by a redirect that stays on the site", async () => {
  await using site = await serveSite(SITE);
  const response = await fetch(`${site.url}/docs?a=1`, { redirect: "manual" });
  await response.body?.cancel();
  assert.deepEqual([response.status, response.headers.get("location")], [308, "./docs/?a=1"]);
});

Deno.test("a static site answers conditional requests", async () => {
  await using site = await serveSite(SITE);
  const first = await fetch(`${site.url}/about`);
  await first.body?.cancel();
  const etag = first.headers.get("etag")!;
  for (const [sent, status] of [[etag, 304], [`"x", W/${etag}`, 304], ["*", 304], ['"x"', 200]] as const) {
    const response = await fetch(`${site.url}/about`, { headers: { "if-none-match": sent } });
    await response.body?.cancel();
    assert.deepEqual([response.status, response.headers.get("etag")], [status, etag], sent);
  }
});

Deno.test("a static site sends ranges of a file", async () => {
  await using site = await serveSite(SITE);
  const cases: [string, number, string | null, string][] = [
    ["bytes=2-4", 206, "bytes 2-4/10", "234"],
    ["bytes=7-", 206, "bytes 7-9/10", "789"],
    ["bytes=-3", 206, "bytes 7-9/10", "789"],
    ["bytes=0-99", 206, "bytes 0-9/10", "0123456789"],
    ["bytes=-99", 206, "bytes 0-9/10", "0123456789"],
    ["bytes=10-", 416, "bytes */10", ""],
    ["bytes=-0", 416, "bytes */10", ""],
    ["bytes=4-2", 200, null, "0123456789"],
    ["bytes=0-1,4-5", 200, null, "0123456789"],
    ["lines=1-2", 200, null, "0123456789"],
  ];
  for (const [range, status, contentRange, body] of cases) {
    const response = await fetch(`${site.url}/numbers.bin`, { headers: { range } });
    const got = [response.status, response.headers.get("content-range"), await response.text()];
    assert.deepEqual(got, [status, contentRange, body], range);
  }
  const stale = await fetch(`${site.url}/numbers.bin`, {
    headers: { range: "bytes=1-2", "if-range": '"old"' },
  });
  assert.deepEqual([stale.status, await stale.text()], [200, "0123456789"]);
});

Deno.test("a static site knows GET and HEAD alone, and a visitor who leaves closes the file", async () => {
  await using site = await serveSite(SITE);
  const head = await fetch(`${site.url}/big.bin`, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-length"), await head.text()], [
    200,
    "2000000",
    "",
  ]);
  const post = await fetch(site.url, { method: "POST", body: "x" });
  assert.deepEqual([post.status, post.headers.get("allow"), await post.text()], [
    405,
    "GET, HEAD",
    "Method not allowed\n",
  ]);
  const left = await fetch(`${site.url}/big.bin`);
  await left.body!.cancel();
  const range = await fetch(`${site.url}/big.bin`, { headers: { range: "bytes=100-1000099" } });
  assert.equal((await range.bytes()).length, 1_000_000);
});
