import assert from "node:assert/strict";
import app from "./bodies_app.ts";

Deno.test("the app of bodies streams 1 MiB and counts what it is sent", async () => {
  const download = await app.fetch(new Request("http://h/"));
  assert.equal((await download.bytes()).byteLength, 1024 ** 2);
  const body = new Blob(["0".repeat(300_000)]).stream();
  const upload = await app.fetch(new Request("http://h/", { method: "POST", body }));
  assert.equal(await upload.text(), "300000");
});
