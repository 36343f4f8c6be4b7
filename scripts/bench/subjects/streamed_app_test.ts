import assert from "node:assert/strict";
import app from "./streamed_app.ts";

Deno.test("the app of streams answers with as many bytes as the path says, in four writes", async () => {
  for (const bytes of [1024, 1023, 100 * 1024]) {
    const chunks = await Array.fromAsync(app.fetch(new Request(`http://h/${bytes}`)).body!);
    assert.equal(chunks.length, 4);
    assert.equal(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0), bytes);
  }
});

Deno.test("the app of streams says the length beforehand where the path asks for it", async () => {
  const [plain, counted] = ["/20", "/20/length"].map((path) => app.fetch(new Request(`http://h${path}`)));
  assert.equal(plain!.headers.get("content-length"), null);
  assert.equal(counted!.headers.get("content-length"), "20");
  await Promise.all([plain!.bytes(), counted!.bytes()]);
});
